"""What holds for documents of every type: the round trips through XML and JSON, the schema, and hostile bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.errors import RoostError, XmlError
from roost.model.documents import DOCUMENTS, DocumentType
from roost.xml import format_document, from_json, json_schema, parse_document, to_json
from support.goldens import Golden, golden, sample

TYPES = [document for document in DOCUMENTS if any(one.type is document for one in golden())]
types = pytest.mark.parametrize("document", TYPES, ids=lambda document: document.schema)


def of(document: DocumentType, step: int = 5) -> list[Golden]:
    return [one for one in sample(step) if one.type is document]


@types
def test_formatting_loses_nothing(document: DocumentType) -> None:
    for one in of(document):
        text = format_document(one.record, document.tag)
        again = parse_document(text, document.cls, document.tag, name=document.name, live=True)
        assert again == one.record, one
        assert format_document(again, document.tag) == text, one


@types
def test_json_loses_nothing(document: DocumentType) -> None:
    for one in of(document):
        assert from_json(to_json(one.record), document.cls) == one.record, one
        assert from_json(to_json(one.record, indent=2), document.cls) == one.record, one


@types
def test_json_is_what_its_schema_says(document: DocumentType) -> None:
    schema = json_schema(document.cls)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    # The library takes its time: as many documents of each type as show most fields.
    for one in sorted(of(document), key=lambda one: -len(one.data))[:6]:
        error = jsonschema.exceptions.best_match(validator.iter_errors(json.loads(to_json(one.record))))
        assert error is None, f"{one}: {error}"


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a JSON value, with each key or index in it."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield value, key
            yield from places(inner)


def _renamed(holder: Any, key: Any) -> bool:
    if not isinstance(holder, dict):
        return False
    holder[key + "_bogus"] = holder.pop(key)
    return True


def _negative(holder: Any, key: Any) -> bool:
    if isinstance(holder[key], bool) or not isinstance(holder[key], int):
        return False
    holder[key] = -(2**70)
    return True


def _other_kind(holder: Any, key: Any) -> bool:
    holder[key] = {"no": 1} if not isinstance(holder[key], dict) else "no"
    return True


@pytest.mark.parametrize("spoil", [_renamed, _negative, _other_kind])
@types
def test_spoilt_json_is_refused_by_reader_and_schema(document: DocumentType, spoil: Callable[[Any, Any], bool]) -> None:
    validator = jsonschema.Draft202012Validator(json_schema(document.cls))
    one = max(of(document), key=lambda one: len(one.data))
    data = to_json(one.record)
    spoilt = 0
    total = len(list(places(json.loads(data))))
    for number in range(0, total, total // 15 + 1):
        value = json.loads(data)
        holder, key = list(places(value))[number]
        if not spoil(holder, key):
            continue
        spoilt += 1
        assert not validator.is_valid(value), (holder, key)
        with pytest.raises(XmlError, match="Invalid JSON document"):
            from_json(json.dumps(value), document.cls)
    assert spoilt or spoil is _negative


def test_refusals_of_json_name_place_and_cure() -> None:
    (document,) = (document for document in DOCUMENTS if document.schema == "domain")
    text = '{"name":"a","type":"qemu","os":{"type":"hvm"},%s}'
    with pytest.raises(XmlError, match="unknown field `memry`; the nearest name is 'memory'"):
        from_json(text % '"memry":1', document.cls)
    with pytest.raises(XmlError, match=r"out of range - at `\$.memory`; expected a size"):
        from_json(text % '"memory":-1', document.cls)
    with pytest.raises(XmlError, match=r"out of range - at `\$.uuid`; expected a UUID"):
        from_json(text % '"uuid":"x"', document.cls)
    with pytest.raises(XmlError, match=r"at `\$.metadata`; expected one element <metadata>"):
        from_json(text % '"metadata":"</domain>"', document.cls)


@given(st.one_of(st.binary(max_size=60), st.text(max_size=60)))
def test_bad_json_raises_only_our_errors(data: bytes | str) -> None:
    for document in DOCUMENTS:
        with pytest.raises(XmlError):
            from_json(data, document.cls)


@st.composite
def mutations(draw: st.DrawFn) -> tuple[DocumentType, bytes]:
    """A golden document of some type with pieces cut, doubled, swapped or replaced."""
    document = draw(st.sampled_from(TYPES))
    data = bytearray(draw(st.sampled_from(of(document))).data)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 40)))
        junk = draw(st.one_of(st.binary(max_size=8), st.sampled_from([b"", b"'", b"<", b"&lt;", b"0", b"-1", b"\0"])))
        data[start:end] = data[start:end] * 2 if draw(st.booleans()) else junk
    return document, bytes(data)


@given(mutations(), st.booleans(), st.booleans())
def test_mutated_documents_raise_only_our_errors(
    mutation: tuple[DocumentType, bytes], live: bool, validate: bool
) -> None:
    document, data = mutation
    try:
        record = parse_document(data, document.cls, document.tag, name=document.name, live=live, validate=validate)
    except RoostError as error:
        refusal = error.message
    else:
        refusal = ""
        text = format_document(record, document.tag)
        assert parse_document(text, document.cls, document.tag, name=document.name, live=live) == record
    assert "nothing is wrong" not in refusal


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200)))
def test_random_text_raises_only_our_errors(text: str | bytes) -> None:
    for document in DOCUMENTS:
        with pytest.raises(RoostError):
            parse_document(text, document.cls, document.tag, name=document.name)


def test_types_are_told_apart() -> None:
    assert len({document.schema for document in DOCUMENTS}) == len(DOCUMENTS)
    assert len({document.tag for document in DOCUMENTS}) == len(DOCUMENTS)
