namespace tandem.test;

using { cuid, managed } from '@sap/cds/common';

type Status : String(10) enum { new; open; closed; }

type Address {
  street : String;
  city   : String;
}

// What the contract suite works on.
entity people {
  key id         : String(40);
      name       : String       @assert.format: '^(?!refused$)[\s\S]*$';
      note       : LargeString;
      amount     : Decimal(20, 6);
      count      : Integer;
      active     : Boolean;
      day        : Date;
      extra      : String;
      modifiedAt : Timestamp    @cds.on.insert: $now @cds.on.update: $now @odata.etag;
}

// A shop: customers, articles, orders with their items.
entity customers : cuid, managed {
  no      : String(20);
  name    : String(100) @mandatory;
  email   : String;
  credit  : Decimal(15, 2);
  since   : Date;
  blocked : Boolean default false;
  address : Address;
  orders  : Association to many orders on orders.customer = $self;
  tags    : array of String;
}

entity articles : managed {
  key no     : Integer;
      title  : String;
      price  : Decimal(12, 4);
      weight : Double;
      bulk   : Int64;
      photo  : Binary(1000);
}

entity orders : cuid, managed {
  number   : String(20);
  total    : Decimal(15, 2);
  status   : Status;
  ordered  : Date;
  customer : Association to customers;
  items    : Composition of many items on items.order = $self;
}

entity items : cuid {
  order    : Association to orders;
  pos      : Integer;
  article  : String(20)     @mandatory @assert.format: '^(?!refused$).*$';
  quantity : Integer;
  price    : Decimal(15, 2);
  sum      : Decimal(15, 2) = quantity * price;
  extra    : String;
}

// No version of its own, and a key of two parts.
entity prices {
  key article : String(20);
  key tariff  : String(40);
      price   : Decimal(12, 2);
}

entity remarks {
  key id   : String(40);
      text : String;
}
