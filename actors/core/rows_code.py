"""The code of the functions in rows.py: one expression per field, by its kind and its lenses. Pure.

A field is *plain* where the text of its value says all (a text, perhaps trimmed or in one case; a whole number; a decimal,
a date, an instant in UTC); every other field is read and written by its lenses, value by value. Names in the made code:
`r3` is the native text of path 3, `j3` the JSON of field 3 in the base, `t3` what is written for it, `s3` its shared value
as a text (None: null). A line that turns out not to be plain goes to `careful`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from actors.core.lenses import Case, Chain, Same, Trim
from actors.core.policy import FieldSide, FieldSpec, Lens, LensError, Owner, StreamSpec
from actors.core.texts import NULL, escaped, reader, text_of
from actors.core.types import SIDES, Side, other
from actors.core.values import BadValue, Value, decode, encode, key_hash, same, text_key_hash

# Statements for plain fields; {r}, {j}, {s} and {t} are the names of one field. `odd()` leaves the loop's turn.
_DECIMAL: Final = """\
{s} = {r}
if {r} == N: {j} = 'null'
elif {r}[-1] > '9' or len({r}) > 60: raise Odd
elif '.' in {r}:
    {s} = {r}.rstrip('0').rstrip('.')
    if {s} == '-0': {s} = '0'
    {j} = '{{"n":"' + {s} + '"}}' if '.' in {s} else {s}
else: {j} = {r}
"""
_DATE: Final = """\
if {r} == N: {j} = 'null'
elif len({r}) == 10: {j} = '{{"d":"' + {r} + '"}}'
else: raise Odd
"""
_INSTANT: Final = """\
if {r} == N: {j} = 'null'
elif {r}[-3:] == '+00' and {r}[4] == '-' and 22 <= len({r}) <= 29:
    {j} = '{{"t":"' + {r}[:10] + 'T' + {r}[11:-3] + ('000000'[len({r}) - 23:] if len({r}) > 22 else '') + '+00:00"}}'
else: raise Odd
"""
_AS_IS: Final = "{j} = 'null' if {r} == N else {r}\n"
_TEXT: Final = """\
if {r} == N: {j} = 'null'; {s} = None
else: {s} = {r}; {j} = '"' + {r} + '"'
"""
_TEXT_LENSES: Final = """\
if {r} == N: {j} = 'null'; {s} = None; {t} = N
else:
    {s} = {value}
    if {s}: {j} = '"' + {s} + '"'; {t} = {s}
    elif {blank}: {j} = 'null'; {s} = None; {t} = N
    else: {j} = '""'; {t} = {s}
"""
_PLAIN: Final[Mapping[str, str]] = {
    "decimal": _DECIMAL,
    "date": _DATE,
    "instant": _INSTANT,
    "boolean": _AS_IS,
    "integer": _AS_IS,
    "text": _TEXT,
}
_ODD_LINE: Final = "'\"' in line or '\\\\' in line and '\\\\' in line.replace(N, '')"


class Odd(Exception):
    """A value about which some rule has more to say."""


def looks(
    stream: StreamSpec, side: Side, kinds: Mapping[str, str], paths: Sequence[str]
) -> Callable[..., None]:
    """`made(lines, plain, careful, put)`: see rows.Looks.stored."""
    room: dict[str, Any] = {"N": NULL, "Odd": Odd, "plain_case": plain_case}
    body = [
        line
        for place, spec in enumerate(kept(stream))
        for line in _looked(spec, place, side, kinds, paths, room).code
    ]
    return _compiled(
        f"""
def made(lines, plain, careful, put):
    for line in lines:
        try:
            if not plain or {_ODD_LINE}: raise Odd
            {_names(paths)} = line.split('\\t')
{_indented(body)}
            put(f'{{id}}\\t{_base(stream)}')
        except Odd:
            put(careful(line))
""",
        room,
    )


def creates(
    stream: StreamSpec,
    origin: Side,
    shapes: Mapping[Side, Any],
    paths: Sequence[str],
    targets: Sequence[str],
) -> Callable[..., None]:
    """`made(lines, plain, ids, careful, out)`: see rows.Creates.plan."""
    room: dict[str, Any] = {"N": NULL, "Odd": Odd, "plain_case": plain_case, "value_of": _value_of}
    fields = {
        spec.name: _created(spec, place, origin, shapes, paths, room)
        for place, spec in enumerate(kept(stream))
    }
    texts = {path: name for one in fields.values() for path, name in one.texts.items()}
    key = texts.get(shapes[other(origin)].key)
    body = [line for one in fields.values() for line in one.code]
    body += [f"new = {key}", "if new == N: raise Odd"] if key else ["new = ids[place]"]
    body += _keys(stream, fields, room)
    target = "\\t".join(["{new}", *("{" + texts[path] + "}" for path in targets)])
    keys = ",".join(f"{{k{level}}}" for level in range(len(stream.match)))
    return _compiled(
        f"""
def made(lines, plain, ids, careful, out):
    target, binding, odd = out.targets.append, out.bindings.append, out.odd.append
    for place, line in enumerate(lines):
        try:
            if not plain or {_ODD_LINE}: raise Odd
            {_names(paths)} = line.split('\\t')
{_indented(body)}
            made_line, bound_line = f'{target}', f'{{id}}\\t{{new}}\\t{_base(stream)}\\t{{{{{keys}}}}}'
        except Odd:
            both = careful(line, ids[place] if ids else '')
            if both is None:
                odd(line)
                continue
            made_line, bound_line = both
        target(made_line)
        binding(bound_line)
""",
        room,
    )


def kept(stream: StreamSpec) -> list[FieldSpec]:
    """The fields that both sides have and that are kept in step: what a base consists of."""
    return [
        spec
        for spec in stream.fields
        if spec.owner is not Owner.LOCAL and all(spec.side(side) is not None for side in SIDES)
    ]


# -------------------------------------------------------------------------------------------------- one field


class _Field(msgspec.Struct):
    """The statements of a field, the name of each text that is written, and the expression of its shared value
    (`is_text`: a text or None, kept as it is)."""

    code: list[str]
    texts: dict[str, str] = {}
    shared: str = ""
    is_text: bool = False


def _looked(
    spec: FieldSpec,
    place: int,
    side: Side,
    kinds: Mapping[str, str],
    paths: Sequence[str],
    room: dict[str, Any],
) -> _Field:
    at = spec.side(side)
    assert at is not None
    code = _plain_code(at, place, kinds, paths)
    if not code:
        room[f"f{place}"] = _reading(at, kinds)
        code = [f"j{place} = f{place}({_args(at, paths)})"]
    return _Field(code)


def _created(
    spec: FieldSpec,
    place: int,
    origin: Side,
    shapes: Mapping[Side, Any],
    paths: Sequence[str],
    room: dict[str, Any],
) -> _Field:
    at, to = spec.side(origin), spec.side(other(origin))
    assert at is not None and to is not None
    here, there = shapes[origin], shapes[other(origin)]
    code = _plain_code(at, place, here.kinds, paths) if alike(at, to, here, there) else []
    required = [f"if j{place} in ('null', '\"\"'): raise Odd"] if spec.required else []
    if not code:
        texts = [f"t{place}_{n}" for n in range(len(to.paths))]
        room[f"f{place}"] = _writing(at, to, here, there)
        code = [f"j{place}, s{place}, ({', '.join(texts)},) = f{place}({_args(at, paths)})", *required]
        return _Field(code, dict(zip(to.paths, texts, strict=True)), f"s{place}")
    if not null_is_null(to, there):
        required.append(f"if j{place} == 'null': raise Odd")
    is_text = here.kinds.get(at.paths[0]) == "text"
    text = f"r{paths.index(at.paths[0])}" if isinstance(at.lens, Same) else f"t{place}"
    shared = f"s{place}" if is_text else f"value_of(j{place})"
    return _Field([*code, *required], {to.paths[0]: text}, shared, is_text)


def alike(at: FieldSide, to: FieldSide, here: Any, there: Any) -> bool:
    """Whether the other side holds and shows the same text."""
    if len(at.paths) != 1 or len(to.paths) != 1:
        return False
    kind = here.kinds.get(at.paths[0], "other")
    return kind == there.kinds.get(to.paths[0], "other") and (isinstance(to.lens, Same) or to.lens == at.lens)


def _plain_code(at: FieldSide, place: int, kinds: Mapping[str, str], paths: Sequence[str]) -> list[str]:
    """The statements of a plain field; none where it is not one."""
    kind = kinds.get(at.paths[0], "other")
    names = {"r": f"r{paths.index(at.paths[0])}", "j": f"j{place}", "s": f"s{place}", "t": f"t{place}"}
    if len(at.paths) != 1:
        return []
    if isinstance(at.lens, Same):
        return _PLAIN.get(kind, "").format(**names).splitlines()
    if kind != "text" or not is_text_lens(at.lens):
        return []
    steps = _steps(at.lens)
    value = names["r"]
    for step in steps:
        value = _turned(step, value)
    blank = any(isinstance(step, Trim) for step in steps)
    return _TEXT_LENSES.format(value=value, blank=blank, **names).splitlines()


def is_text_lens(lens: Lens) -> bool:
    """Whether the lens shows a value as it is, or a text in a normal form that it writes as it is."""
    return isinstance(lens, Same) or all(isinstance(step, Trim | Case) for step in _steps(lens))


def turns_letters(lens: Lens) -> bool:
    """Whether it does more to a text than to cut its ends."""
    return any(isinstance(step, Case) for step in _steps(lens))


def _steps(lens: Lens) -> Sequence[Lens]:
    return [lens.first, *lens.rest] if isinstance(lens, Chain) else [lens]


def _turned(step: Lens, value: str) -> str:
    """A text lens as an expression; letters beyond ASCII have more to them than a method of str knows."""
    if isinstance(step, Case):
        method = {"upper": "upper", "lower": "lower", "fold": "casefold"}[step.to]
        return f"plain_case({value}).{method}()"
    return f"{value}.strip()"


def plain_case(text: str) -> str:
    """The text, if its case can be turned letter by letter."""
    if text.isascii():
        return text
    raise Odd


def null_is_null(to: FieldSide, there: Any) -> bool:
    """Whether a null that is told may be written as one, and is shown as one."""
    try:
        shown = to.lens.get((None,) * len(to.paths))
    except LensError:
        return False
    return shown is None and all(path in there.nulls for path in to.paths)


def _reading(at: FieldSide, kinds: Mapping[str, str]) -> Callable[..., str]:
    readers = [reader(kinds.get(path, "other")) for path in at.paths]
    return lambda *raw: _json(_value(at, readers, raw))


def _writing(
    at: FieldSide, to: FieldSide, here: Any, there: Any
) -> Callable[..., tuple[str, Value, tuple[str, ...]]]:
    readers = [reader(here.kinds.get(path, "other")) for path in at.paths]
    readers_there = [reader(there.kinds.get(path, "other")) for path in to.paths]
    nothing: tuple[Value, ...] = (None,) * len(to.paths)
    takes_null = null_is_null(to, there)

    def write(*raw: str) -> tuple[str, Value, tuple[str, ...]]:
        value = _value(at, readers, raw)
        if value is None and not takes_null:
            raise Odd
        try:
            put = nothing if value is None else to.lens.put(nothing, value)
            texts = [text_of(one) for one in put]
            shown = to.lens.get(tuple(read(text) for read, text in zip(readers_there, texts, strict=True)))
        except (LensError, BadValue):
            raise Odd from None
        is_missing = any(t is None and p not in there.nulls for p, t in zip(to.paths, texts, strict=True))
        if is_missing or not same(shown, value):
            raise Odd
        return _json(value), value, tuple(NULL if text is None else escaped(text) for text in texts)

    return write


def _value(at: FieldSide, readers: Sequence[Callable[..., Value]], raw: Sequence[str]) -> Value:
    try:
        native = tuple(read(None if text == NULL else text) for read, text in zip(readers, raw, strict=True))
        return at.lens.get(native)
    except (LensError, BadValue):
        raise Odd from None


def _json(value: Value) -> str:
    return escaped(encode({"v": value})[5:-1])


def _value_of(json: str) -> Value:
    return decode('{"v":' + json + "}")["v"]


# ------------------------------------------------------------------------------------------------ whole lines


def _keys(stream: StreamSpec, fields: Mapping[str, _Field], room: dict[str, Any]) -> list[str]:
    """The match keys, a number each."""
    lines = []
    for level, names in enumerate(stream.match):
        parts = [fields[name] for name in names if name in fields]
        if len(parts) < len(names):
            return ["raise Odd"]  # a key over a field that is not kept in step: not here
        is_text = len(parts) == 1 and parts[0].is_text
        room[f"h{level}"] = text_key_hash(level) if is_text else _hash(level)
        lines.append(f"k{level} = h{level}({', '.join(part.shared for part in parts)})")
    return lines


def _hash(level: int) -> Callable[..., int]:
    return lambda *values: key_hash(level, values) or 0


def _base(stream: StreamSpec) -> str:
    """The base as the inside of an f-string: names in order, as `encode` has them."""
    places = {spec.name: place for place, spec in enumerate(kept(stream))}
    parts = []
    for name in sorted(places):
        label = escaped(msgspec.json.encode(name).decode())
        label = label.replace("\\", "\\\\").replace("'", "\\'").replace("{", "{{").replace("}", "}}")
        parts.append(f"{label}:{{j{places[name]}}}")
    return "{{" + ",".join(parts) + "}}"


def _names(paths: Sequence[str]) -> str:
    return ", ".join(["id", *(f"r{place}" for place in range(len(paths)))])


def _args(at: FieldSide, paths: Sequence[str]) -> str:
    return ", ".join(f"r{paths.index(path)}" for path in at.paths)


def _indented(lines: Sequence[str]) -> str:
    return "\n".join(" " * 12 + line for line in lines)


def _compiled(code: str, room: dict[str, Any]) -> Callable[..., None]:
    exec(compile(code, "<rows>", "exec"), room)  # noqa: S102 -- made here, of numbers and quoted names alone
    made: Callable[..., None] = room["made"]
    return made
