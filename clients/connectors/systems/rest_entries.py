"""THE tables of what a declaration of the connector `rest` may say: every entry with its form and its meaning.

The loader (rest_load.py) takes names, bounds and words from here; docs/rest.schema.json and the tables of
docs/connectors/rest.md are made from here. Must not: read a declaration.
"""

from __future__ import annotations

from typing import Final

from actors.core.blueprint.forms import (
    Anything,
    Duration,
    Either,
    Entries,
    Entry,
    Flag,
    Form,
    Listing,
    Named,
    Number,
    Scalar,
    Shared,
    Sign,
    Text,
    Whole,
    Words,
)

NAME: Final = r"[a-z][a-z0-9_-]{0,40}"
TYPES: Final = ("text", "integer", "decimal", "boolean", "date", "instant", "list")
MEANINGS: Final = ("gone", "moved_on", "exists", "refused", "no_access", "too_many", "later")
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
DEADLINE: Final = Duration(0.1, 300.0)
OVERLAP: Final = Duration(0.0, 86_400.0)
LAG: Final = Duration(0.0, 3600.0)

QUERY: Final = Shared("query", Named(Either((Text(), Whole(-(10**15), 10**15)))))
BODY: Final = Named(Anything())
METHOD: Final = Words(METHODS)
PLACE: Final = Text()


def asked(path: str) -> tuple[Entry, ...]:
    """What every request may say."""
    return (
        Entry("path", Text(), "path below `url`, with what stands in `{}` filled in", absent=path),
        Entry("method", METHOD, "the verb", absent="the usual one"),
        Entry("query", QUERY, "query parameters", example='query: {sort: "id"}'),
        Entry("headers", QUERY, "further headers"),
        Entry("json", BODY, "a JSON body"),
        Entry("form", QUERY, "a form as body"),
    )


PAGING: Final[tuple[Entry, ...]] = (
    Entry(
        "kind",
        Words(("page", "offset", "cursor", "next_link", "link_header", "whole")),
        "`page` and `offset` count; `cursor`: the body (`at`) or a header gives a word for the next page; `next_link`: its "
        "address stands `at` in the body; `link_header`: in the Link header; `whole`: one answer holds all",
        required=True,
    ),
    Entry(
        "parameter",
        Text(),
        "the query parameter for number, offset or cursor",
        absent="`page`, `offset`, `cursor`",
    ),
    Entry(
        "size_parameter",
        Text(),
        "the query parameter for the size of a page",
        absent="the size can't be chosen",
    ),
    Entry("size_in_header", Flag(), "the size goes in a header of that name", absent="no"),
    Entry("size_max", Whole(1, 100_000), "the most records of a page", absent="100"),
    Entry(
        "first", Whole(0, 1), "the number of the first page or record", absent="1 for pages, 0 for offsets"
    ),
    Entry("at", PLACE, "where the body holds the cursor or the next link"),
    Entry("header", Text(), "the header that holds the cursor, in the place of `at`"),
    Entry("back_header", Text(), "the header in which it goes back, in the place of `parameter`"),
    Entry(
        "total",
        PLACE,
        "where the body says how many records there are",
        absent="a page that is not full is the last",
    ),
    Entry("more", PLACE, "where the body says false at the last page"),
    Entry(
        "checked", Flag(), "a page that is not full is the last only if the next one is empty", absent="no"
    ),
)

LIST: Final[tuple[Entry, ...]] = (
    *asked("the object's `path`"),
    Entry(
        "at", PLACE, "where the list stands in the body", absent="the body is the list", example="at: items"
    ),
    Entry("paging", Entries(PAGING), "how it is paged", absent="`kind: whole`"),
    Entry(
        "sorted",
        Words(("by_number", "by_text", "no")),
        "by id, as numbers or as texts (code points). Then nothing is left out while others delete",
        absent="no",
    ),
    Entry(
        "after",
        QUERY,
        "query parameters that ask for what stands behind an id, `{id}` or quoted `{literal}`; the list has to be sorted. "
        "The best way where it is offered: no page shifts",
        example='after: {filter: "id > {literal}"}',
    ),
)

LOOK: Final[tuple[Entry, ...]] = (
    *asked("the object's `path`, a slash, `{id}`"),
    Entry("at", PLACE, "where the record stands in the body", absent="the body is the record"),
    Entry(
        "many",
        Entries(
            (
                *asked("the path of `list`"),
                Entry("each", Text(), "what stands for one id: `{id}`, `{literal}`", absent="`{id}`"),
                Entry("join", Sign(), "what stands between them", absent="a comma"),
                Entry("most", Whole(1, 10_000), "so many ids in one request", absent="50"),
            )
        ),
        "how many records are looked at with one request, as a list; `{ids}` is made of `each` and `join`",
        absent="one by one",
    ),
)

FIND: Final[tuple[Entry, ...]] = (
    *asked("the path of `list`"),
    Entry("fields", Listing(Text()), "the fields by which it can be searched", absent="all"),
)

MODIFIED: Final[tuple[Entry, ...]] = (
    *asked("the path of `list`"),
    Entry("field", Text(), "the field with the time of the last change", required=True),
    Entry(
        "sorted",
        Flag(),
        "the answer is sorted by that time, ascending",
        absent="no: each pass reads all of it",
    ),
    Entry(
        "overlap",
        OVERLAP,
        "so far behind it is looked again, for times that are set before they can be seen",
        absent="5s",
    ),
    Entry("format", Text(), "how the time is written in the request, as for a field", absent="as the field"),
)

WRITTEN: Final[tuple[Entry, ...]] = (
    Entry("wrap", PLACE, "where the record goes in the body", absent="the body is the record"),
    Entry("extra", Named(Scalar()), "what goes into the record besides its fields"),
    Entry(
        "at",
        PLACE,
        "where the record stands in the answer; `none`: the answer holds none",
        absent="the body is the record",
    ),
)

CREATE: Final[tuple[Entry, ...]] = (
    *asked("the object's `path`"),
    *WRITTEN,
    Entry("id_at", PLACE, "where the new id stands in an answer without the record"),
    Entry("id_from_location", Flag(), "the new id is the last part of the Location header", absent="no"),
)

UPDATE: Final[tuple[Entry, ...]] = (
    *asked("the object's `path`, a slash, `{id}`"),
    *WRITTEN,
    Entry("whole", Flag(), "the system replaces the whole record: it is read, changed and sent", absent="no"),
    Entry("drop", Listing(Text()), "what is taken out of a whole record before it is sent (computed places)"),
    Entry("with_key", Flag(), "the key goes into the body", absent="no"),
    Entry(
        "if_match",
        Flag(),
        "the version goes along in If-Match, so that the system itself refuses",
        absent="no",
    ),
)

DELETE: Final[tuple[Entry, ...]] = (
    *asked("the object's `path`, a slash, `{id}`"),
    Entry("if_match", Flag(), "the version goes along in If-Match", absent="no"),
)

FIELD: Final[tuple[Entry, ...]] = (
    Entry("type", Words(TYPES), "its type", absent="text"),
    Entry("read", PLACE, "where it stands in a record", absent="under its name", example="read: branch.id"),
    Entry("write", PLACE, "where it goes in a write", absent="where it is read"),
    Entry("required", Flag(), "a new record needs it", absent="no"),
    Entry("writable", Flag(), "it can be written", absent="yes"),
    Entry(
        "format",
        Text(),
        "of dates and instants: `epoch_s`, `epoch_ms`, `dotnet`, or as for strptime (`%3f`: milliseconds)",
        absent="ISO 8601",
    ),
    Entry("zone", Text(), "the time zone of instants that carry none"),
    Entry(
        "decimals",
        Words(("number", "text", "comma")),
        'how decimals are written: 1.5, "1.5", "1,5"',
        absent="number",
    ),
    Entry("places", Whole(0, 12), "decimals as text have at least so many places", absent="0"),
    Entry("true_words", Listing(Scalar(), 1), "values that mean true; the first is written", absent="true"),
    Entry(
        "false_words", Listing(Scalar(), 1), "values that mean false; the first is written", absent="false"
    ),
    Entry(
        "nulls", Listing(Scalar()), "values that mean that there is none", example='nulls: ["", "0001-01-01"]'
    ),
    Entry("null_as", Scalar(), "what is written for null", absent="null"),
    Entry("doc", Text(), "what it is"),
)
FIELD_FORM: Final[Form] = Shared("field", Either((Words(TYPES), Entries(FIELD))))

LINES: Final[tuple[Entry, ...]] = (
    Entry("fields", Named(FIELD_FORM, least=1), "what a line holds, as for a record", required=True),
    Entry("read", PLACE, "where the list stands in a record", absent="under its name"),
    Entry("write", PLACE, "where it goes in a write", absent="where it is read"),
    Entry(
        "key", PLACE, "where a line's own id stands in it", absent="it has none, and is called by its place"
    ),
    Entry("doc", Text(), "what it is"),
)

OBJECT: Final[tuple[Entry, ...]] = (
    Entry("path", Text(), "its path below `url`", required=True, example="path: collections/people/records"),
    Entry("key", Text(), "the field that holds the id", required=True),
    Entry(
        "fields",
        Named(FIELD_FORM, least=1),
        "its fields: the type alone, or more",
        required=True,
        example="fields: {name: text}",
    ),
    Entry(
        "lines",
        Named(Entries(LINES)),
        "lists of lines in a record (an order's), written and settled with it",
        absent="none",
    ),
    Entry("doc", Text(), "what it is"),
    Entry("list", Entries(LIST), "how all of it is read", absent="GET of the path, one answer holds all"),
    Entry("look", Entries(LOOK), "how one record is looked at", absent="GET of path and id"),
    Entry(
        "find",
        Entries(FIND),
        "how records are found by a field: `{field}`, `{literal}`, `{value}`",
        absent="not offered",
    ),
    Entry(
        "modified",
        Entries(MODIFIED),
        "how changes since a time are found: `{literal}`, `{value}`",
        absent="by complete reads",
    ),
    Entry("create", Entries(CREATE), "how a record is made", absent="not offered"),
    Entry("update", Entries(UPDATE), "how a record is changed", absent="not offered"),
    Entry("delete", Entries(DELETE), "how a record is deleted", absent="not offered"),
    Entry("query", QUERY, "query parameters of every request of this object"),
    Entry(
        "new_ids",
        Text(),
        "ids are drawn here before a create: `uuid`, or so many of some letters, as `[a-z0-9]{15}`",
        absent="the system draws them",
    ),
    Entry("tag", Text(), "the field that takes our correlation tag (a text that `find` finds)"),
    Entry("version", PLACE, "where a record holds its version; `ETag`: the header of a look"),
    Entry("missing", Words(("null", "unknown")), "what a field that is left out means", absent="unknown"),
)

AUTH: Final[tuple[Entry, ...]] = (
    Entry(
        "kind",
        Words(
            ("none", "bearer", "basic", "header", "query", "client_credentials", "refresh_token", "log_in")
        ),
        "how it proves who it is",
        required=True,
    ),
    Entry(
        "token",
        Text(),
        "the token (`bearer`), or where it stands in the answer of a log-in",
        absent="`access_token`",
    ),
    Entry("user", Text(), "of `basic`"),
    Entry("password", Text(), "of `basic`"),
    Entry("name", Text(), "the name of the header or query parameter"),
    Entry("value", Text(), "its value"),
    Entry("path", Text(), "of the log-in or the token endpoint; a whole URL too"),
    Entry("method", METHOD, "of the log-in", absent="POST"),
    Entry("json", BODY, "body of the log-in"),
    Entry("form", QUERY, "body of the log-in, as a form"),
    Entry("headers", QUERY, "headers of the log-in"),
    Entry("client_id", Text(), "of OAuth 2"),
    Entry("client_secret", Text(), "of OAuth 2"),
    Entry("scope", Text(), "of OAuth 2"),
    Entry("refresh_token", Text(), "of `refresh_token`: the one that was given"),
    Entry("in_header", Flag(), "client id and secret go as basic in the header", absent="in the form"),
    Entry("lives", PLACE, "where the answer says how many seconds it lives", absent="`expires_in`"),
    Entry(
        "lives_for",
        Duration(1.0, 366 * 86_400.0),
        "how long it lives, where the answer does not say",
        absent="until it is refused",
    ),
    Entry("cookie", Text(), "the token is the cookie of this name"),
    Entry(
        "place",
        QUERY,
        "the header in which it goes, with `{token}`",
        absent="`Authorization: Bearer {token}`",
    ),
    Entry("log_out", Entries(asked("required")), "the request that ends the session"),
)

LIMITS: Final[tuple[Entry, ...]] = (
    Entry("rate_per_s", Number(0, 10_000), "requests per second", absent="no limit known"),
    Entry("burst", Whole(1, 100_000), "so many at once", absent="1"),
    Entry("concurrency", Whole(1, 64), "so many at the same time", absent="4"),
    Entry("deadline", DEADLINE, "one request is given up after so long", absent="20s"),
    Entry("size_max", Whole(1000, 1_000_000_000), "bytes of one answer", absent="32 MiB"),
    Entry("batch", Whole(1, 10_000), "ids or writes of one call", absent="100"),
)

PROMISES: Final[tuple[Entry, ...]] = (
    Entry(
        "absence",
        Words(("proof", "hint", "none")),
        "what it proves that a complete read lacks a record",
        absent="hint",
    ),
    Entry(
        "ids", Words(("never_reused", "may_be_reused")), "whether an id comes back", absent="may_be_reused"
    ),
    Entry("session", Words(("shared", "single")), "whether a second log-in ends the first", absent="shared"),
    Entry("read_lag", LAG, "a read may be so much older than the last write", absent="0s"),
    Entry("vendor_tail", LAG, "a request may take effect so long after its deadline", absent="0s"),
)

ANSWER: Final[tuple[Entry, ...]] = (
    Entry("status", Whole(100, 599), "only answers with this status", absent="any"),
    Entry("at", PLACE, "a place in the body"),
    Entry("is", Scalar(), "what stands there", absent="anything but null, false, 0 and the empty text"),
    Entry("holds", Text(), "the answer's text holds this"),
    Entry(
        "means",
        Words(MEANINGS),
        "`gone`, `moved_on`, `exists`, `refused`: what became of the record; `no_access`: log in anew; `too_many`: wait; "
        "`later`: not done, try again",
        required=True,
    ),
    Entry("seconds", PLACE, "where the body says how long to wait (`too_many`)"),
)

WEBHOOK: Final[tuple[Entry, ...]] = (
    Entry(
        "signature",
        Words(("none", "token", "hmac_sha256", "hmac_sha512", "sha512")),
        "what makes a call genuine",
        absent="none",
    ),
    Entry("header", Text(), "the header with the signature"),
    Entry("parameter", Text(), "the query parameter with it"),
    Entry("prefix", Sign(), "what stands before it"),
    Entry("object", Text(), "where a call says which object", example='object: "json:collection"'),
    Entry("ids", Text(), "where it says which records", example='ids: "json:items.*.id"'),
    Entry("event", Text(), "where it says what happened"),
    Entry("events", Listing(Text()), "those that are known to come"),
)

LITERALS: Final[tuple[Entry, ...]] = (
    Entry("quote", Sign(), "the quotation mark of texts in a filter", absent="'"),
    Entry(
        "escape",
        Words(("double", "backslash", "backslash_quote")),
        "what is done with one inside: it is doubled; it and backslashes get a backslash; only it gets one",
        absent="double",
    ),
)

DECLARATION: Final[tuple[Entry, ...]] = (
    Entry(
        "name",
        Text(NAME),
        "names the system in messages and metrics",
        required=True,
        example="name: pocketbase",
    ),
    Entry(
        "url",
        Text(),
        "where the interface lives; the setting `url` goes before it",
        example="url: https://shop.example/api/v2",
    ),
    Entry("objects", Named(Entries(OBJECT), least=1), "what it offers, by name", required=True),
    Entry("doc", Text(), "one sentence for people"),
    Entry("auth", Entries(AUTH), "how an account proves who it is", absent="`kind: none`"),
    Entry("headers", QUERY, "headers of every request"),
    Entry(
        "identity",
        Entries(
            (*asked("required"), Entry("at", PLACE, "where the account's own name stands", required=True))
        ),
        "which account this is",
        absent="the address, and the variables",
    ),
    Entry(
        "check",
        Entries(asked("required")),
        "a cheap request that proves address and credentials",
        absent="one record of the first object",
    ),
    Entry("limits", Entries(LIMITS), "what the vendor allows"),
    Entry("promises", Entries(PROMISES), "what the system promises", absent="the careful answers"),
    Entry(
        "answers",
        Listing(Entries(ANSWER)),
        "answers that mean something else than their status says; the first that fits counts",
    ),
    Entry("words", Listing(Text()), "where an error's words stand in the body", absent="the usual places"),
    Entry("literals", Entries(LITERALS), "how `{literal}` is written"),
    Entry("webhook", Entries(WEBHOOK), "how the system calls", absent="it calls nobody"),
)
