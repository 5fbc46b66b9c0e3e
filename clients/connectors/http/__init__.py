"""The base of every connector that speaks HTTP. The interface is announced in docs/CONNECTORS.md, "HTTP connectors".

`client` is one account's way out; `auth` how it proves who it is; `judge` what answers mean; `paging` how lists are read;
`writing` how a batch of writes is carried out one by one; `texts` how values cross. The HTTP library is in `transport` only.
"""
