"""Children by namespace: what goes in, what comes out, what stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.errors import InternalError, RoostError, XmlDetail
from roost.xml.fragments import children, find, put

A, B = "http://a/", "http://b/"


def put_a(collection: str | None, text: str | None, prefix: str | None = "k", uri: str = A) -> str:
    return put(collection, uri, prefix, text, tag="metadata", name="(metadata_xml)")


def test_elements_get_the_prefix_and_lose_it_again() -> None:
    made = put_a(None, '<x a="1"><y>t</y><z/></x>')
    assert made == '<metadata><k:x xmlns:k="http://a/" a="1"><k:y>t</k:y><k:z/></k:x></metadata>'
    assert find(made, A) == '<x a="1">\n  <y>t</y>\n  <z/>\n</x>'
    assert find(made, B) is None
    assert find(None, A) is None


def test_elements_of_other_namespaces_stay_as_they_are() -> None:
    text = '<q xmlns:p="urn:p"><p:w/><!-- c --> text</q>'
    made = put_a(None, text)
    assert made == ('<metadata><k:q xmlns:p="urn:p" xmlns:k="http://a/"><p:w/><!-- c --> text</k:q></metadata>')
    assert find(made, A) == text


def test_a_subtree_with_a_default_namespace_keeps_it() -> None:
    made = put_a(None, '<q><w xmlns="urn:w"><v/></w><u/></q>')
    assert made == '<metadata><k:q xmlns:k="http://a/"><w xmlns="urn:w"><v/></w><k:u/></k:q></metadata>'


def test_a_child_is_replaced_and_moves_to_the_end() -> None:
    both = put_a(put_a(None, "<one/>"), "<two/>", "l", B)
    assert [child.uri for child in children(both)] == [A, B]
    changed = put_a(both, "<three/>", "m")
    assert [child.uri for child in children(changed)] == [B, A]
    assert find(changed, A) == "<three/>"
    assert find(changed, B) == "<two/>"


def test_the_last_child_removed_leaves_an_empty_collection() -> None:
    made = put_a(put_a(None, "<one/>"), None)
    assert made == "<metadata/>"
    assert children(made) == []
    assert put_a(made, "<one/>") == put_a(None, "<one/>")


def test_namespaces_declared_on_the_collection_count() -> None:
    collection = '<metadata xmlns:k="http://a/"><k:x/></metadata>'
    assert find(collection, A) == "<x/>"
    assert put_a(collection, None) == '<metadata xmlns:k="http://a/"/>'


def test_special_characters_survive() -> None:
    uri = 'http://a/?x=1&y="2"'
    made = put_a(None, "<?xml version='1.0'?><x a='&lt;&amp;&quot;&gt;'>1 &lt; 2 > 1<![CDATA[<b>]]></x>", uri=uri)
    assert find(made, uri) == '<x a="&lt;&amp;&quot;&gt;">1 &lt; 2 &gt; 1&lt;b&gt;</x>'


@pytest.mark.parametrize("prefix", ["", "1k", "a b", "k:l", 'k"', None])
def test_a_prefix_that_is_no_name_is_refused(prefix: str | None) -> None:
    with pytest.raises(InternalError, match="failed to validate prefix"):
        put_a(None, "<x/>", prefix)


@pytest.mark.parametrize(
    "text", ["<x", "", "text", "<a/><b/>", "<!DOCTYPE x [<!ENTITY e 'e'>]><x>&e;</x>", "</metadata>"]
)
def test_what_is_not_one_element_is_refused(text: str) -> None:
    with pytest.raises(XmlDetail, match=r"\(metadata_xml\):1: "):
        put_a(None, text)


@given(st.text(alphabet="<>/ax:=\"' &;!-[]?\n", max_size=40))
def test_anything_is_taken_whole_or_refused(text: str) -> None:
    try:
        made = put_a(put_a(None, "<other/>", "o", B), text)
    except RoostError:
        return
    assert find(made, B) == "<other/>"
    assert find(made, A) is not None
    assert len(children(made)) == 2
