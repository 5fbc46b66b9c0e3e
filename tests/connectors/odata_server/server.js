// The start of the server, with what other OData services do and CAP on SQLite does not.
const cds = require('@sap/cds')
const { CQN2SQL } = require('@cap-js/sqlite')
const { randomUUID } = require('crypto')

// SQLite keeps decimals as 64-bit floats; SAP HANA keeps them exactly. Here they are kept as texts.
CQN2SQL.OutputConverters.Decimal = expr => `CAST(${expr} AS TEXT)`
cds.on('compile.to.dbx', (_csn, _options, next) => {
  const statements = next()
  for (const at in statements) statements[at] = statements[at].replace(/REAL_DECIMAL\([^)]*\)/g, 'DECIMAL_TEXT')
})

cds.on('bootstrap', app => {
  const { listen } = app
  app.listen = port => listen.call(app, port, '127.0.0.1')
  if (process.env.TANDEM_ENDS_WITH_STDIN) process.stdin.resume().on('end', () => process.exit())

  // As SAP Gateway: whoever changes something shows a token that was fetched before, in the same session.
  const tokens = new Map()
  app.use('/odata/v4/guarded', (request, response, next) => {
    const session = /session=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1]
    const shown = request.headers['x-csrf-token'] ?? ''
    if (request.method === 'GET' || request.method === 'HEAD') {
      if (shown.toLowerCase() === 'fetch') {
        const [id, token] = [session && tokens.has(session) ? session : randomUUID(), randomUUID()]
        tokens.set(id, token)
        response.set({ 'x-csrf-token': token, 'set-cookie': `session=${id}; HttpOnly; Path=/` })
      }
      return next()
    }
    if (shown && tokens.get(session) === shown) return next()
    response.set('x-csrf-token', 'Required').status(403).type('text/plain').send('CSRF token validation failed')
  })
  // The older form of batches only.
  app.use('/odata/v4/guarded', (request, response, next) => {
    if (!/^\/\$batch/.test(request.url) || /multipart/.test(request.headers['content-type'])) return next()
    response.status(415).json({ error: { code: '415', message: 'Only multipart/mixed is understood here' } })
  })
  // No batches at all.
  app.use('/odata/v4/single/\\$batch', (_request, response) => response.status(501).json({ error: { message: 'No batches' } }))
  // So that a test can begin with nothing.
  app.post('/test/empty', async (_request, response) => {
    for (const entity of Object.values(cds.entities('tandem.test'))) await DELETE.from(entity)
    response.sendStatus(204)
  })
  // So that a test can take the token away, as a restart of the system does.
  app.post('/test/forget-tokens', (_request, response) => { tokens.clear(); response.sendStatus(204) })
})

cds.on('served', () => {
  // Numbers the records whose creator gave none.
  let last = 50000
  for (const service of Object.values(cds.services)) {
    if (!service.entities?.people) continue
    service.before('CREATE', ['people', 'paged'].filter(name => service.entities[name]), ({ data }) => { data.id ??= `K${++last}` })
  }
})

module.exports = cds.server
