"""What a service's $metadata says: entity sets, keys, properties with their types, what may be written.

Pure: reads the XML form of CSDL 4.0 and 4.01 (OData Common Schema Definition Language). Complex properties are flattened to
paths with slashes, as OData writes them. What can't be kept in step (streams, lists of complex values, geometry) is left
out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

import msgspec

from actors.core.errors import Kind, Scope, TandemError
from actors.core.unit_lines import IN_LINES

DEPTH_MAX: Final = 4  # of complex values within complex values; some types hold themselves
FIELD_TYPES: Final[Mapping[str, str]] = {
    "Edm.String": "text",
    "Edm.Guid": "text",
    "Edm.Duration": "text",
    "Edm.TimeOfDay": "text",
    "Edm.Byte": "integer",
    "Edm.SByte": "integer",
    "Edm.Int16": "integer",
    "Edm.Int32": "integer",
    "Edm.Int64": "integer",
    "Edm.Decimal": "decimal",
    "Edm.Double": "decimal",
    "Edm.Single": "decimal",
    "Edm.Boolean": "boolean",
    "Edm.Date": "date",
    "Edm.DateTimeOffset": "instant",
    "Edm.Binary": "bytes",
}


class Property(msgspec.Struct, frozen=True):
    """A property. `name`: its path. `type`: `Edm....`. `enum`: the qualified name of its enumeration, "" where it is none.
    `computed`: the service sets it; `immutable`: written at the create only. `has_default`: may be left out of a create.
    `bind`: it is written by a link, with the navigation and the entity set that it leads to."""

    name: str
    type: str
    nullable: bool = True
    is_list: bool = False
    enum: str = ""
    computed: bool = False
    immutable: bool = False
    has_default: bool = False
    doc: str = ""
    bind: tuple[str, str] | None = None

    @property
    def field_type(self) -> str:
        """The type as `FieldInfo` names it."""
        return "list" if self.is_list else FIELD_TYPES[self.type]


class Lines(msgspec.Struct, frozen=True):
    """A navigation to many: the records below one (an order's items), as if they were a set of their own. `owned`: they live
    and die with their parent. `order`: the property by which they stand in order, "" = as the service shows them."""

    set: EntitySet
    owned: bool = False
    order: str = ""


class EntitySet(msgspec.Struct, frozen=True):
    """An entity set with its type. `has_etags`: the service says so itself; others may deliver them all the same."""

    name: str
    type: str
    key: tuple[str, ...]
    properties: Mapping[str, Property]
    lines: Mapping[str, Lines] = {}
    has_etags: bool = False
    insertable: bool = True
    updatable: bool = True
    deletable: bool = True
    doc: str = ""

    def property(self, name: str, doing: str = "") -> Property:
        """The property called so, of its lines `items[].price`; CONFIG that names it and those there are."""
        path, within, cell = name.partition(IN_LINES)
        if within and path in self.lines:
            return self.lines[path].set.property(cell, doing)
        found = self.properties.get(name)
        if found is None:
            raise TandemError(
                Kind.CONFIG,
                f"{self.name}: there is no field '{name}'{f' to {doing}' if doing else ''}",
                scope=Scope.STREAM,
                hint=f"it has the fields {', '.join([*self.properties, *(path + IN_LINES for path in self.lines)])}",
            )
        return found

    def has(self, name: str) -> bool:
        """Whether there is a property, or one of its lines, called so."""
        path, within, cell = name.partition(IN_LINES)
        if within:
            return path in self.lines and cell in self.lines[path].set.properties
        return name in self.properties


class Model(msgspec.Struct, frozen=True):
    """All entity sets of a service. `digest`: of the document."""

    sets: Mapping[str, EntitySet]
    digest: str = ""


def parse_metadata(document: bytes) -> Model:
    """The model that a $metadata document describes; CONFIG where it is none."""
    schemas = [element for element in _parsed(document).iter() if _local(element) == "Schema"]
    if not schemas:
        raise _no_metadata("it has no Schema")
    return _Reader(schemas).model(hashlib.sha256(document).hexdigest()[:16])


class _Reader:
    """Resolves names over all schemas of a document."""

    def __init__(self, schemas: Sequence[Element]) -> None:
        self._aliases = {schema.get("Alias", ""): schema.get("Namespace", "") for schema in schemas}
        self._types: dict[str, Element] = {}
        self._notes: dict[str, list[Element]] = {}
        self._schemas = schemas
        for schema in schemas:
            namespace = schema.get("Namespace", "")
            for element in schema:
                if _local(element) in ("EntityType", "ComplexType", "EnumType", "TypeDefinition"):
                    self._types[f"{namespace}.{element.get('Name', '')}"] = element
                elif _local(element) == "Annotations":
                    target = self._full(element.get("Target", ""))
                    self._notes.setdefault(target, []).extend(_children(element, "Annotation"))

    def model(self, digest: str) -> Model:
        """Every entity set of every container."""
        found = {}
        for schema in self._schemas:
            for container in _children(schema, "EntityContainer"):
                place = f"{schema.get('Namespace', '')}.{container.get('Name', '')}"
                for element in _children(container, "EntitySet"):
                    entity_set = self._set(element, place)
                    if entity_set is not None:
                        found[entity_set.name] = entity_set
        return Model(found, digest)

    def _set(self, element: Element, place: str) -> EntitySet | None:
        name, type_name = element.get("Name", ""), self._full(element.get("EntityType", ""))
        bare = self._bare(name, type_name)
        if bare is None:
            return None
        notes = [*_children(element, "Annotation"), *self._notes.get(f"{place}/{name}", ())]
        return msgspec.structs.replace(
            bare,
            lines={found.set.name: found for level in self._chain(type_name) for found in self._lines(level)},
            has_etags=_term(notes, "OptimisticConcurrency") is not None,
            insertable=_allowed(notes, "InsertRestrictions", "Insertable"),
            updatable=_allowed(notes, "UpdateRestrictions", "Updatable"),
            deletable=_allowed(notes, "DeleteRestrictions", "Deletable"),
            doc=_words(notes) or _words(self._notes.get(type_name, ())),
        )

    def _bare(self, name: str, type_name: str) -> EntitySet | None:
        """A set of a type, without its lines; None where nothing could be looked at by its id."""
        key = tuple(
            part.get("Name", "")
            for level in self._chain(type_name)
            for holder in _children(level, "Key")
            for part in _children(holder, "PropertyRef")
        )
        properties = {found.name: found for found in self._properties(type_name, "", 0)}
        if not key or any(part not in properties for part in key):
            return None
        return EntitySet(name, type_name, key, properties)

    def _properties(self, type_name: str, prefix: str, depth: int) -> Iterator[Property]:
        for level in self._chain(type_name):
            for element in _children(level, "Property"):
                yield from self._property(element, type_name, prefix, depth)

    def _property(self, element: Element, owner: str, prefix: str, depth: int) -> Iterator[Property]:
        name = prefix + element.get("Name", "")
        type_name, is_list = _listed(element.get("Type", "Edm.String"))
        full = self._full(type_name)
        if self._kind(full) == "ComplexType":
            if not is_list and depth < DEPTH_MAX:
                yield from self._properties(full, f"{name}/", depth + 1)
            return
        enum = full if self._kind(full) == "EnumType" else ""
        base = "Edm.String" if enum else self._underlying(full)
        if base not in FIELD_TYPES:
            return
        notes = [
            *_children(element, "Annotation"),
            *self._notes.get(f"{owner}/{element.get('Name', '')}", ()),
        ]
        yield Property(
            name,
            base,
            nullable=element.get("Nullable", "true") != "false",
            is_list=is_list,
            enum=enum,
            computed=_is_true(_term(notes, "Computed")),
            immutable=_is_true(_term(notes, "Immutable")),
            has_default="DefaultValue" in element.attrib or _is_true(_term(notes, "ComputedDefaultValue")),
            doc=_words(notes),
        )

    def _lines(self, level: Element) -> Iterator[Lines]:
        for element in _children(level, "NavigationProperty"):
            type_name, is_list = _listed(element.get("Type", ""))
            bare = self._bare(element.get("Name", ""), self._full(type_name)) if is_list else None
            if bare is not None:
                cascades = any(one.get("Action") == "Cascade" for one in _children(element, "OnDelete"))
                yield Lines(bare, cascades or element.get("ContainsTarget") == "true")

    def _chain(self, type_name: str) -> list[Element]:
        """A type behind its base types."""
        chain: list[Element] = []
        name = type_name
        while name in self._types and len(chain) < 20:
            chain.insert(0, self._types[name])
            name = self._full(self._types[name].get("BaseType", ""))
        return chain

    def _kind(self, name: str) -> str:
        return _local(self._types[name]) if name in self._types else ""

    def _underlying(self, name: str) -> str:
        if self._kind(name) == "TypeDefinition":
            return self._types[name].get("UnderlyingType", "")
        return name

    def _full(self, name: str) -> str:
        """A qualified name with its namespace in the place of an alias."""
        for alias, namespace in self._aliases.items():
            if alias and name.startswith(f"{alias}."):
                return namespace + name[len(alias) :]
        return name


def _parsed(document: bytes) -> Element:
    """The document's root. No document type is accepted: entities are how a small document becomes a huge one."""
    builder = TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data

    def refuse(*_: object) -> None:
        raise _no_metadata("it brings a document type")

    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(document, True)
        return builder.close()
    except (expat.ExpatError, AssertionError) as error:
        raise _no_metadata(str(error)) from error


def _no_metadata(why: str) -> TandemError:
    return TandemError(
        Kind.CONFIG,
        f"$metadata of this address is no description of an OData service: {why}",
        hint="is url the service root, the address below which $metadata stands?",
    )


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _children(element: Element, name: str) -> list[Element]:
    return [child for child in element if _local(child) == name]


def _listed(type_name: str) -> tuple[str, bool]:
    """The type of the items, and whether it is a list."""
    if type_name.startswith("Collection(") and type_name.endswith(")"):
        return type_name[len("Collection(") : -1], True
    return type_name, False


def _term(notes: Sequence[Element], name: str) -> Element | None:
    """The annotation whose term ends so: vocabularies are known by their alias or by their whole name."""
    for note in notes:
        if note.get("Term", "").rpartition(".")[2] == name and not note.get("Qualifier"):
            return note
    return None


def _is_true(note: Element | None) -> bool:
    if note is None:
        return False
    said = note.get("Bool") or next((child.text or "" for child in _children(note, "Bool")), "true")
    return said.strip() != "false"


def _allowed(notes: Sequence[Element], term: str, name: str) -> bool:
    note = _term(notes, term)
    if note is None:
        return True
    for value in note.iter():
        if _local(value) == "PropertyValue" and value.get("Property") == name:
            return value.get("Bool", "true") != "false"
    return True


def _words(notes: Sequence[Element]) -> str:
    for term in ("Description", "Label"):
        note = _term(notes, term)
        if note is not None and note.get("String"):
            return note.get("String", "")
    return ""
