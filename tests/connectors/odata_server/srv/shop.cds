using { tandem.test as db } from '../db/schema';

@path: '/odata/v4/shop'
service Shop {
  entity people as projection on db.people;

  @cds.query.limit: { default: 3, max: 3 } // pages of three: the server's own paging
  entity paged as projection on db.people;

  entity customers as projection on db.customers;
  entity articles  as projection on db.articles;
  entity orders    as projection on db.orders;
  entity items     as projection on db.items;
  entity prices    as projection on db.prices;
  entity remarks   as projection on db.remarks;

  @readonly
  entity catalogue as projection on db.articles;
}

// The same people where a token is asked for and batches are multipart (server.js).
@path: '/odata/v4/guarded'
service Guarded {
  entity people as projection on db.people;
}

// The same people where there are no batches (server.js).
@path: '/odata/v4/single'
service Single {
  entity people as projection on db.people;
  @cds.query.limit: { default: 3, max: 3 }
  entity paged  as projection on db.people;
}

annotate Shop.customers with { modifiedAt @odata.etag };
annotate Shop.orders    with { modifiedAt @odata.etag };
annotate Shop.articles  with { modifiedAt @odata.etag };
