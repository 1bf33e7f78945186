"""Documents inside documents: what holds for a root holds for them."""

from __future__ import annotations

from typing import Annotated

import pytest

from roost.errors import ConfigUnsupported, From, XmlDetail, XmlError, XmlInvalidSchema
from roost.xml import Child, Complaint, OnOff, RawXml, Record, UInt, at, format_document, parse_document


class Parts(Record):
    bolts: Annotated[tuple[UInt, ...], at("bolt/@size")] = ()


class Machine(Record):
    kind: str
    notes: RawXml | None = None
    parts: Annotated[Parts | None, at("parts", merged=True)] = None


class Shelf(Record):
    name: Child[str | None] = None
    notes: RawXml | None = None
    machine: Annotated[Machine | None, at("machine", only_with="kind")] = None


def parse(inner: str) -> Shelf:
    return parse_document(f"<shelf>{inner}</shelf>", Shelf, "shelf", name="(shelf)", origin=From.STORAGE)


def test_kept_subtrees_of_inner_documents_are_kept() -> None:
    shelf = parse("<notes><a xmlns='u'>1</a></notes><machine kind='x'><notes><b xmlns='u'> 2</b></notes></machine>")
    assert shelf.notes == '<notes><a xmlns="u">1</a></notes>'
    assert shelf.machine is not None
    assert shelf.machine.notes == '<notes><b xmlns="u"> 2</b></notes>'
    text = format_document(shelf, "shelf")
    assert parse_document(text, Shelf, "shelf", name="(shelf)") == shelf


def test_repeated_sections_of_inner_documents_add_up() -> None:
    shelf = parse("<machine kind='x'><parts><bolt size='1'/></parts><parts><bolt size='2'/></parts></machine>")
    assert shelf.machine is not None
    assert shelf.machine.parts == Parts(bolts=(1, 2))


def test_an_inner_document_without_the_attribute_that_makes_it_one_does_not_count() -> None:
    assert parse("<machine><parts/></machine>").machine is None
    with pytest.raises(XmlError, match="/shelf/machine/parts/bolt/@size"):
        parse("<machine kind='x'><parts><bolt size='no'/></parts></machine>")
    with pytest.raises(XmlError, match="/shelf/machine\\[1\\]/parts/bolt/@size"):
        parse("<machine kind='x'><parts><bolt size='no'/></parts></machine><machine/>")


def test_text_that_is_no_xml_is_reported_for_its_family() -> None:
    with pytest.raises(XmlDetail) as caught:
        parse("<")
    assert caught.value.domain == From.STORAGE


class Lamp(Record):
    strangers = Complaint(ConfigUnsupported, "no such lamp: %s", domain=From.STORAGE)

    red: Annotated[OnOff | None, at("red/@state", needed=True)] = None
    green: Annotated[OnOff | None, at("green/@state", bare="on")] = None


class Panel(Record):
    lamps: Annotated[Lamp | None, at("lamps", merged=True)] = None
    spare: Annotated[Lamp | None, at("spare", once=Complaint(XmlError, "one spare lamp"))] = None


def lamps(inner: str) -> Lamp | None:
    return parse_document(f"<panel><lamps>{inner}</lamps></panel>", Panel, "panel", name="(panel)").lamps


def test_elements_that_no_field_knows_are_refused_where_the_record_says_so() -> None:
    assert lamps("<red state='on'/><green/>") == Lamp(red=True, green=True)
    with pytest.raises(ConfigUnsupported, match=r"no such lamp: gren.*/panel/lamps/gren.*nearest is 'green'") as caught:
        lamps("<red state='on'/><gren/>")
    assert caught.value.domain == From.STORAGE


def test_an_attribute_may_be_needed_only_where_its_element_stands() -> None:
    assert lamps("<green state='off'/>") == Lamp(green=False)
    with pytest.raises(XmlError, match="Missing required attribute 'state' in element 'red'"):
        lamps("<red/>")


def test_an_element_may_be_allowed_only_once() -> None:
    assert parse_document("<panel><spare/></panel>", Panel, "panel", name="(panel)") == Panel()
    with pytest.raises(XmlError, match=r"one spare lamp.*/panel/spare\[2\]"):
        parse_document("<panel><spare/><spare/></panel>", Panel, "panel", name="(panel)")


def test_wrong_values_are_the_schemas_where_a_document_is_held_to_it() -> None:
    with pytest.raises(XmlInvalidSchema, match=r"'no'.*; line 1, /shelf/machine/parts/bolt/@size"):
        parse_document(
            "<shelf><machine kind='x'><parts><bolt size='no'/></parts></machine></shelf>",
            Shelf, "shelf", name="(shelf)", validate=True,
        )  # fmt: skip
