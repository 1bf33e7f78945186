"""The binding: what one declaration gives in parser, writer, messages and JSON."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
import pytest

from roost.errors import From, NoName, OperationInvalid, RoostError, XmlDetail, XmlError, XmlInvalidSchema
from roost.xml import (
    Child,
    Complaint,
    Flag,
    KiB,
    OnOff,
    Positive,
    RawXml,
    Record,
    Text,
    UInt,
    YesNo,
    at,
    format_document,
    inline,
    parse_document,
    tag_of,
)


class Engine(Record, tag_field="kind"):
    note: Annotated[str | None, at("engine/note", order=1)] = None


class Diesel(Engine, tag="diesel"):
    litres: Annotated[UInt | None, at("engine/@litres")] = None


class Electric(Engine, tag="electric"):
    volts: Annotated[UInt, at("engine/@volts", missing=Complaint(OperationInvalid, "no volts"))]


class Wheel(Record):
    size: Annotated[Positive, at("@size", wrong=Complaint(OperationInvalid, "no wheel of size %s"))]
    spare: YesNo | None = None


class Label(Record):
    language: str | None = None
    words: Text[str | None] = None


class Tank(Record):
    shape: Literal["round", "square"] | None = None


class Car(Record):
    namespaces: ClassVar[dict[str, str]] = {"x": "urn:example:x"}

    name: Annotated[str, at("name", missing=Complaint(NoName))]
    colour: Annotated[Literal["red", "green", "blue"] | None, at("@colour", unset=("default",))] = None
    doors: UInt = 4
    engine: Annotated[Diesel | Electric | None, inline(after="doors")] = None
    weight: Annotated[KiB | None, at("weight")] = None
    tank: Tank | None = None
    hook: Annotated[Tank | None, at("hook", keep_empty=True)] = None
    radio: Flag = False
    radio_bands: Annotated[tuple[str, ...], at("radio/band")] = ()
    abs: Annotated[OnOff | None, at("abs/@state", bare="on")] = None
    wheels: Annotated[tuple[Wheel, ...], at("wheels/wheel")] = ()
    labels: Annotated[tuple[Label, ...], at("label")] = ()
    code: Annotated[str | None, at("lock/@code", secret=True)] = None
    seat: Annotated[str | None, at("seat/@of", live=True)] = None
    extra: RawXml | None = None
    tuning: Child[str | None] = None
    special: Annotated[Label | None, at("x:special")] = None


def car(xml: str, *, live: bool = False, validate: bool = False) -> Car:
    return parse_document(xml, Car, "car", name="(car)", live=live, validate=validate)


def text(record: Car, **options: bool) -> str:
    return format_document(record, "car", **options)


FULL = """<car colour='red' doors='2' kind='diesel' xmlns:x='urn:example:x'>
  <name>a &amp; b</name>
  <engine litres='3'>
    <note>loud</note>
  </engine>
  <weight unit='KiB'>1024</weight>
  <tank shape='round'/>
  <hook/>
  <radio>
    <band>fm</band>
    <band>am</band>
  </radio>
  <abs state='off'/>
  <wheels>
    <wheel size='16'/>
    <wheel size='17' spare='yes'/>
  </wheels>
  <label language='de'>Auto</label>
  <label>car</label>
  <lock code='1234'/>
  <seat of='leather'/>
  <extra>
    <any xmlns="urn:example:any" a="1"/>
  </extra>
  <tuning>none</tuning>
  <x:special language='en'/>
</car>
"""


def test_everything_is_written_as_it_was_read() -> None:
    assert text(car(FULL, live=True)) == FULL
    assert car(FULL, validate=True).engine == Diesel(litres=3, note="loud")


def test_json_follows_from_the_declaration() -> None:
    record = car(FULL, live=True)
    data = msgspec.json.encode(record)
    assert msgspec.json.decode(data, type=Car) == record
    assert msgspec.json.decode(data)["engine"] == {"kind": "diesel", "note": "loud", "litres": 3}
    assert msgspec.json.schema(Car)["$defs"]["Wheel"]["required"] == ["size"]


def test_defaults_and_absence() -> None:
    small = car("<car><name>x</name></car>")
    assert small == Car(name="x")
    assert text(small) == "<car doors='4'>\n  <name>x</name>\n</car>\n"


def test_empty_elements_that_say_nothing_are_dropped() -> None:
    record = car("<car colour='default'><name>x</name><tank/><hook/><radio/><abs/><wheels/></car>")
    assert (record.colour, record.tank, record.hook, record.radio, record.abs) == (None, None, Tank(), True, True)
    assert "<tank" not in text(record)
    assert "<hook/>" in text(record)
    assert "<radio/>" in text(record)


def test_secrets_and_what_is_live() -> None:
    record = car(FULL)
    assert record.code == "1234"
    assert record.seat is None
    assert "1234" not in text(record, secure=False)
    assert "leather" in text(car(FULL, live=True))


def test_union_members_know_their_tag() -> None:
    record = car("<car kind='electric'><name>x</name><engine volts='400'/></car>")
    assert record.engine is not None
    assert tag_of(record.engine) == "electric"
    assert text(record).startswith("<car doors='4' kind='electric'>\n")


@pytest.mark.parametrize(
    ("inner", "error", "words"),
    [
        ("", NoName, "missing name information; line 1, /car"),
        (
            "<name>x</name>\n<wheels><wheel size='0'/></wheels>",
            OperationInvalid,
            "Requested operation is not valid: no wheel of size 0; line 2, /car/wheels/wheel/@size: "
            "expected a whole number from 1 to 4294967295",
        ),
        (
            "<name>x</name><wheels>\n<wheel size='1'/>\n<wheel/></wheels>",
            XmlError,
            "XML error: Missing required attribute 'size' in element 'wheel'; line 3, /car/wheels/wheel[2]: "
            "expected a whole number from 1 to 4294967295",
        ),
        (
            "<name>x</name>\n\n<abs state='of'/>",
            XmlError,
            "XML error: Invalid value for attribute 'state' in element 'abs': 'of'.; line 3, /car/abs/@state: "
            "expected one of on, off; the nearest is 'off'",
        ),
        (
            "<name>x</name><weight>heavy</weight>",
            XmlError,
            "XML error: Invalid value 'heavy' for element or attribute './weight[1]'; line 1, /car/weight: "
            "expected a size such as 1048576 with unit='KiB' or 1 with unit='GiB'",
        ),
    ],
)
def test_wrong_values_are_named_with_place_and_cure(inner: str, error: type[RoostError], words: str) -> None:
    with pytest.raises(error) as caught:
        car(f"<car>{inner}</car>")
    assert caught.value.message == words


def test_a_wrong_member_and_a_member_without_what_it_needs() -> None:
    with pytest.raises(
        XmlError, match=r"'kind' in element 'car': 'steam'\.; line 1, /car/@kind: expected one of diesel"
    ):
        car("<car kind='steam'><name>x</name></car>")
    with pytest.raises(OperationInvalid, match="no volts"):
        car("<car kind='electric'><name>x</name></car>")


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        ("<name>x</name>\n<roof/>", "Element car has extra content: roof; line 2, /car/roof"),
        ("<name>x</name><wheels><wheel size='1' flat='no'/></wheels>", "Invalid attribute flat for element wheel"),
        ("<name of='a'>x</name>", "Invalid attribute of for element name"),
        ("<name>x</name><radio><knob/></radio>", "Element radio has extra content: knob"),
        ("<name>x</name><wheels>\n<wheel size='1'/>\n<wheel size='1'><bolt/></wheel></wheels>", "line 3, /car/wheels/"),
    ],
)
def test_validation_refuses_unknown_names(inner: str, words: str) -> None:
    xml = f"<car>{inner}</car>"
    car(xml)
    with pytest.raises(XmlInvalidSchema) as caught:
        car(xml, validate=True)
    assert words in caught.value.message
    assert caught.value.domain == From.XML


def test_the_root_must_be_the_right_one() -> None:
    with pytest.raises(XmlError, match="expecting root element of 'car', not 'bus'"):
        car("<bus/>")


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        (
            "<car>\n  <name>x</nam>\n</car>",
            "(car):2: Opening and ending tag mismatch: name line 2 and nam\n  <name>x</nam>\n---------------^",
        ),
        ("<car>\n  <name>x</name>\n", "(car):3: Premature end of data in tag car line 1\n(null)\n^"),
        ("", "(car):1: Document is empty\n(null)\n^"),
        ("car", "(car):1: Start tag expected, '<' not found\ncar\n^"),
        (
            "<car>\n<name>&foo;</name></car>",
            "(car):2: Entity 'foo' not defined\n<name>&foo;</name></car>\n-----------^",
        ),
        ("<car a='1' a='2'/>", "(car):1: Attribute a redefined\n<car a='1' a='2'/>\n"),
        ("<car><name>a & b</name></car>", "(car):1: xmlParseEntityRef: no name\n"),
        ("<car a=b/>", "(car):1: AttValue: \" or ' expected\n<car a=b/>\n-------^"),
        ("<car/><car/>", "(car):1: Extra content at the end of the document\n<car/><car/>\n------^"),
        ("<car><name>\udcff</name></car>", "(car):1: Input is not proper UTF-8, indicate encoding !\n"),
        ("<!DOCTYPE car [<!ENTITY a 'b'>]><car/>", "(car):1: Document type declarations are not accepted\n"),
        ("<!DOCTYPE car SYSTEM 'file:///etc/passwd'><car/>", "(car):1: Document type declarations are not accepted\n"),
        ("<car>\0</car>", "(car):1: not well-formed (invalid token)\n"),
        ("<?xml version='1.0' encoding='no-such'?><car/>", "(car):1: "),
    ],
)
def test_what_is_not_xml_is_shown_with_a_caret(xml: str, message: str) -> None:
    with pytest.raises(XmlDetail) as caught:
        car(xml)
    assert caught.value.message.startswith(message)
    assert caught.value.message.endswith("^")


def test_entity_bombs_never_explode() -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    with pytest.raises(XmlDetail):
        car(f'<!DOCTYPE car [<!ENTITY e0 "x">{entities}]><car><name>&e11;</name></car>')


def test_documents_have_a_size_and_a_number_of_elements() -> None:
    with pytest.raises(XmlDetail, match="larger than"):
        car("<car><name>" + "x" * (64 * 1024 * 1024) + "</name></car>")
    with pytest.raises(XmlDetail, match="elements"):
        car("<car>" + "<a/>" * 130_000 + "</car>")


def test_declared_encodings_are_honoured() -> None:
    xml = "<?xml version='1.0' encoding='ISO-8859-1'?><car><name>é</name></car>".encode("latin-1")
    assert parse_document(xml, Car, "car", name="(car)").name == "é"


def test_references_and_cdata_are_plain_text() -> None:
    assert car("<car><name>&#65;<![CDATA[<&>]]>&lt;</name></car>").name == "A<&><"
