"""Unions whose members stand in elements of different names keep the order of all of them."""

from __future__ import annotations

from typing import Annotated

import msgspec
import pytest

from roost.errors import ConfigUnsupported, XmlError, XmlInvalidSchema
from roost.xml import Complaint, Record, UInt, at, format_document, parse_document


class Step(Record, tag_field="element"):
    """Base of the union."""


class Walk(Step, tag="walk"):
    far: Annotated[UInt, at("@far", wrong=Complaint(ConfigUnsupported, "'%s' is too far for %n"))]


class Rest(Step, tag="rest"):
    where: str | None = None


class Way(Record):
    name: str
    steps: tuple[Walk | Rest, ...] = ()


TEXT = """<way name='home'>
  <walk far='3'/>
  <rest where='here'/>
  <walk far='1'/>
  <rest/>
</way>
"""


def parse(text: str, *, validate: bool = False) -> Way:
    return parse_document(text, Way, "way", name="(way)", validate=validate)


def test_order_is_kept() -> None:
    way = parse(TEXT, validate=True)
    assert [type(step) for step in way.steps] == [Walk, Rest, Walk, Rest]
    assert format_document(way, "way") == TEXT


def test_json_says_which() -> None:
    data = msgspec.json.encode(parse(TEXT))
    assert b'{"element":"rest","where":"here"}' in data
    assert msgspec.json.decode(data, type=Way) == parse(TEXT)


def test_a_complaint_names_the_document_and_the_line() -> None:
    with pytest.raises(ConfigUnsupported, match=r"'x' is too far for home; line 4, /way/walk\[2\]/@far") as caught:
        parse(TEXT.replace("far='1'", "far='x'"))
    assert isinstance(caught.value, ConfigUnsupported)
    with pytest.raises(XmlError, match="line 4"):
        parse(TEXT.replace(" far='1'", ""))


@pytest.mark.parametrize("wrong", ["<run/>", "<rest when='now'/>"])
def test_unknown_names_are_refused_on_request(wrong: str) -> None:
    text = TEXT.replace("<rest/>", wrong)
    assert parse(text)
    with pytest.raises(XmlInvalidSchema, match=r"line 5|rest, walk"):
        parse(text, validate=True)
