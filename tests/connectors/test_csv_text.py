"""CSV text and cells: nothing that was not changed moves by a byte, nothing half is taken for whole, values are exact."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.types import Op
from actors.core.values import Value, same
from actors.ports import Write, WriteStatus
from clients.connectors.files.cells import BadCell, Meaning, read_cell, write_cell
from clients.connectors.files.text import BrokenText, Table, parse, rendered
from clients.connectors.systems.csv_rows import Draft

PLAIN = Meaning({})


def table_of(text: str | bytes, encoding: str = "auto", separator: str = "auto", key: str = "") -> Table:
    content = text.encode() if isinstance(text, str) else text
    return parse(content, encoding, separator, key, "terminated")


def draft_of(table: Table, meaning: Meaning = PLAIN) -> Draft:
    return Draft(table, meaning, lambda: "")


def check_broken(content: bytes, half: bool, line: int, words: str, encoding: str = "auto") -> None:
    with pytest.raises(BrokenText, match=words) as caught:
        table_of(content, encoding)
    assert (caught.value.line, caught.value.half) == (line, half)


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
ROWS = st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=6)


@given(ROWS, st.sampled_from([";", ",", "\t", "|"]), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_every_cell_and_every_byte_comes_back(
    rows: list[list[str]], separator: str, eol: str, is_quoted: bool
) -> None:
    # The stdlib leaves a bare carriage return unquoted, where it cannot be told from a line end.
    rows = rows if is_quoted else [[cell.replace("\r", "\n") for cell in cells] for cells in rows]
    text = io.StringIO(newline="")
    style: Literal[0, 1] = 1 if is_quoted else 0  # QUOTE_ALL, QUOTE_MINIMAL
    writer = csv.writer(text, delimiter=separator, lineterminator=eol, quoting=style)
    writer.writerow(["id", "one", "two", "three"])
    for number, cells in enumerate(rows):
        writer.writerow([f"K{number}", *cells])
    content = text.getvalue().encode()
    table = table_of(content, "utf-8", separator)
    assert rendered(table, table.rows) == content
    for number, cells in enumerate(rows):
        assert list(table.texts(table.rows[table.index[f"K{number}"]]).values()) == [f"K{number}", *cells]


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("eol", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
def test_an_update_changes_its_cell_only(bom: bytes, eol: str, separator: str) -> None:
    lines = ['id;"Straße";;x', '1;"a";;  odd ', "", '2;"b ""q""";u;007', ";;;", "3;c;;"]
    old = bom + (eol.join(lines) + eol).replace(";", separator).encode()
    table = table_of(old)
    draft = draft_of(table)
    result = draft.apply(Write(Op.UPDATE, id="2", native={"x": "08"}, seen={"x": "007"}), ["Straße"])
    assert result.status is WriteStatus.DONE
    assert rendered(table, draft.final_rows()) == old.replace(b"007", b"08")


def test_an_equal_value_leaves_the_file_as_it_is() -> None:
    table = table_of("id;price;day\n1;1.234,50;01.02.2024\n")
    meaning = Meaning({"price": "decimal", "day": "date"}, ",", "%d.%m.%Y")
    draft = draft_of(table, meaning)
    native: dict[str, Value] = {"price": Decimal("1234.5"), "day": date(2024, 2, 1)}
    assert draft.apply(Write(Op.UPDATE, id="1", native=native, seen=native), []).status is WriteStatus.DONE
    assert not draft.changed


def test_a_new_row_is_written_as_its_neighbours() -> None:
    table = table_of('"id";"name";"n"\r\n"1";"Müller";7\r\n'.encode("cp1252"))
    draft = draft_of(table, Meaning({"n": "integer"}))
    assert (
        draft.apply(Write(Op.CREATE, id="2", native={"name": "Groß", "n": 8}), []).status is WriteStatus.DONE
    )
    assert rendered(table, draft.final_rows()).decode("cp1252").splitlines()[2] == '"2";"Groß";8'


def test_a_row_after_an_unterminated_one_stands_in_a_line_of_its_own() -> None:
    table = parse(b"id;name\r\n1;a", "auto", "auto", "", "any")
    draft = draft_of(table)
    draft.apply(Write(Op.CREATE, id="2", native={"name": "b"}), [])
    assert rendered(table, draft.final_rows()) == b"id;name\r\n1;a\r\n2;b\r\n"


def test_a_cut_within_a_line_is_always_noticed() -> None:
    whole = 'id;name;note\n1;"Jürgen; Sohn";x\n2;Müller;"two\nlines"\n3;Ende;z\n'.encode()
    row_ends = {whole.index(end) + len(end) for end in (b"note\n", b"x\n", b'lines"\n', b"z\n")}
    for cut in set(range(len(whole) + 1)) - row_ends:
        with pytest.raises(BrokenText) as caught:
            table_of(whole[:cut])
        assert caught.value.half, whole[:cut]


def test_a_cut_within_a_character_is_no_other_encoding() -> None:
    with pytest.raises(BrokenText, match="within a character") as caught:
        parse("id;name\n1;Mü".encode()[:-1], "auto", "auto", "", "any")
    assert caught.value.half


@pytest.mark.parametrize(
    "content, half, line, words",
    [
        (b"", True, 1, "is empty"),
        (b"\n", True, 1, "no header"),
        (b"id;name\n1;a\n2\n", True, 3, "1 cells where the header has 2"),
        (b"id;name\n1\n2;b\n", False, 2, "1 cells where the header has 2"),
        (b"id;name\n1;a;x\n2;b\n", False, 2, "3 cells where the header has 2"),
        (b'id;name\n1;"a"b\n2;c\n', False, 2, "after the closing quote"),
        (b'id;name\n1;"a\n2;c\n', True, 2, "quoted cell that begins"),
        (b"id;name\n1;a\n2;b\n\x00\x00\x00", True, 4, "line|NUL"),
        (b"id;name\n1;a\n\n1;b\n", False, 4, "key '1' twice, in line 2 and in line 4"),
        (b"id;name\n;a\n2;b\n", False, 2, "without a key"),
        (b"id;name\n" + b"1" * 501 + b";a\n2;b\n", False, 2, "key of 501 characters, '1{20}…'"),
        (b"id;name;name\n1;a;b\n", False, 1, "more than one column 'name'"),
    ],
)
def test_broken_files_name_the_line(content: bytes, half: bool, line: int, words: str) -> None:
    check_broken(content, half, line, words)


def test_bytes_of_another_encoding_name_the_line() -> None:
    check_broken("id;name\n1;a\n2;ü\n".encode("cp1252"), False, 3, "no utf-8", "utf-8")


def test_a_missing_key_column_names_the_columns() -> None:
    with pytest.raises(BrokenText, match="no key column 'nr', but: id, name"):
        table_of("id;name\n1;a\n", key="nr")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_auto_finds_the_encoding_and_keeps_it(encoding: str) -> None:
    content = "id;name\n1;Jürgen\n".encode(encoding)
    table = table_of(content)
    assert table.texts(table.rows[0])["name"] == "Jürgen"
    draft = draft_of(table)
    draft.apply(Write(Op.UPDATE, id="1", native={"name": "Jörg"}, seen={"name": "Jürgen"}), [])
    assert rendered(table, draft.final_rows()) == "id;name\n1;Jörg\n".encode(encoding)


@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
def test_auto_finds_the_separator(separator: str) -> None:
    assert table_of(f'id{separator}"a,;|b,;|"{separator}c\n').columns == ("id", "a,;|b,;|", "c")


def test_a_character_that_the_encoding_lacks_is_refused_by_name() -> None:
    table = table_of("id;name\n1;ü\n".encode("cp1252"))
    draft = draft_of(table)
    refused = draft.apply(Write(Op.UPDATE, id="1", native={"name": "ü 😀"}, seen={"name": "ü"}), [])
    assert refused.status is WriteStatus.REFUSED
    assert "'name'" in refused.error
    assert "😀" in refused.error
    assert not draft.changed


def test_the_key_that_a_row_states_goes_before_the_one_reserved_for_it() -> None:
    draft = draft_of(table_of("id;name;n\n1;a;1\n"), Meaning({"n": "integer"}))
    result = draft.apply(Write(Op.CREATE, id="8", native={"id": "9"}), [])
    assert (result.status, result.id) == (WriteStatus.DONE, "9")


@pytest.mark.parametrize(
    "write, words",
    [
        (Write(Op.UPDATE, id="1", native={"id": "9"}, seen={"id": "1"}), "cannot be changed"),
        (Write(Op.CREATE, native={"name": "x"}), "key column 'id'"),
        (Write(Op.CREATE, native={"id": "1"}), "'1' exists already"),
        (Write(Op.UPDATE, id="1", native={"n": Decimal("1.5")}, seen={}), "field 'n'.*whole number"),
        (Write(Op.UPDATE, id="1", native={"name": True}, seen={}), "field 'name'.*no text"),
        (Write(Op.UPDATE, id="1", native={"name": "a\x00"}, seen={}), "NUL"),
    ],
)
def test_refusals_say_why(write: Write, words: str) -> None:
    draft = draft_of(table_of("id;name;n\n1;a;1\n"), Meaning({"n": "integer"}))
    result = draft.apply(write, [])
    assert result.status is WriteStatus.REFUSED
    assert re.search(words, result.error), result.error
    assert not draft.changed


def test_a_natural_key_is_the_id() -> None:
    draft = draft_of(table_of("id;name\n1;a\n"))
    result = draft.apply(Write(Op.CREATE, native={"id": "A-7", "name": "x"}), ["id"])
    assert (result.status, result.id) == (WriteStatus.DONE, "A-7")


MEANING = Meaning(
    {"dec": "decimal", "int": "integer", "bool": "boolean", "date": "date", "at": "instant", "list": "list"},
    ",",
    "%d.%m.%Y",
    "",
    ("ja", "x"),
    ("nein", "-"),
)


@pytest.mark.parametrize(
    "field, text, value",
    [
        ("dec", "1,50", Decimal("1.5")),
        ("dec", "-0,001", Decimal("-0.001")),
        ("dec", "1.234.567,89", Decimal("1234567.89")),
        ("dec", "12345678901234567890,123456789", Decimal("12345678901234567890.123456789")),
        ("int", "007", 7),
        ("bool", "JA", True),
        ("bool", "-", False),
        ("date", "29.02.2024", date(2024, 2, 29)),
        ("at", "2024-03-01T10:00:00+02:00", datetime(2024, 3, 1, 8, tzinfo=UTC)),
        ("list", "a|b", ("a", "b")),
        ("text", " 007 ", " 007 "),
        ("dec", "", None),
        # What does not fit is shown as it is: the one record is parked by whoever needs a number.
        ("dec", "1.234", "1.234"),
        ("dec", "1e5", "1e5"),
        ("dec", "NaN", "NaN"),
        ("date", "31.02.2024", "31.02.2024"),
        ("bool", "maybe", "maybe"),
    ],
)
def test_cells_are_read(field: str, text: str, value: Value) -> None:
    shown = read_cell(text, field, MEANING)
    assert same(shown, value), shown


@pytest.mark.parametrize(
    "field, value, old, text",
    [
        ("dec", Decimal("2.5"), "1,50", "2,50"),
        ("dec", Decimal("2.567"), "1,50", "2,567"),
        ("dec", Decimal("1000"), "", "1000"),
        ("dec", Decimal("1.5"), "1,500", "1,500"),
        ("bool", True, "", "ja"),
        ("bool", True, "-", "x"),
        ("bool", False, "JA", "nein"),
        ("date", date(2024, 2, 1), "", "01.02.2024"),
        ("list", ("a", "b"), "", "a|b"),
        ("int", 5, "005", "005"),
        ("int", 6, "005", "6"),
        ("text", None, "x", ""),
    ],
)
def test_cells_are_written_in_the_style_they_had(field: str, value: Value, old: str, text: str) -> None:
    assert write_cell(value, field, old, MEANING) == text


@pytest.mark.parametrize(
    "field, value",
    [
        ("dec", "x"),
        ("int", True),
        ("date", datetime(2024, 1, 1, tzinfo=UTC)),
        ("list", ("a|b",)),
        ("list", ("",)),
    ],
)
def test_what_a_cell_cannot_hold_is_refused(field: str, value: Value) -> None:
    with pytest.raises(BadCell):
        write_cell(value, field, "", MEANING)


def test_empty_may_mean_an_empty_text() -> None:
    assert read_cell("", "name", Meaning({}, empty="text")) == ""
    assert read_cell("", "n", Meaning({"n": "integer"}, empty="text")) is None


@given(st.decimals(allow_nan=False, allow_infinity=False), st.sampled_from([",", "."]))
def test_decimals_come_back_exactly(value: Decimal, mark: str) -> None:
    meaning = Meaning({"n": "decimal"}, mark)
    assert same(read_cell(write_cell(value, "n", "", meaning), "n", meaning), value)
