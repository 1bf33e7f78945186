"""Parts of documents by XPath, where lxml is installed, and what is said where it is not."""

from __future__ import annotations

import sys

import pytest

from roost.cli.failure import CommandFailed
from roost.cli.xpath import select

DOCUMENT = "<domain type='test'>\n  <vcpu>2</vcpu>\n  <os>\n    <type arch='x'>hvm</type>\n  </os>\n</domain>"


def test_without_lxml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lxml", None)
    with pytest.raises(CommandFailed, match="--xpath needs the Python package lxml"):
        select(DOCUMENT, "//vcpu", wrap=False)


@pytest.mark.parametrize(
    ("expression", "wrap", "text"),
    [
        ("//vcpu", False, "<vcpu>2</vcpu>\n"),
        ("//vcpu|//os", False, '<vcpu>2</vcpu>\n<os>\n  <type arch="x">hvm</type>\n</os>\n'),
        ("//vcpu", True, "<nodes>\n  <vcpu>2</vcpu>\n</nodes>\n"),
        ("//@type", False, ' type="test"\n'),
        ("//@*", True, '<nodes type="test" arch="x"/>\n'),
        ("//vcpu/text()", False, "2\n"),
        ("//vcpu/text()|//type/text()", True, "<nodes>2hvm</nodes>\n"),
        ("//nosuch", False, ""),
        ("//nosuch", True, "<nodes/>\n"),
    ],
)
def test_nodes(expression: str, wrap: bool, text: str) -> None:
    pytest.importorskip("lxml", reason="lxml is not installed")
    assert select(DOCUMENT, expression, wrap=wrap) == text


@pytest.mark.parametrize("expression", ["count(//vcpu)", "foo(", "1 +", "nosuch:element"])
def test_what_selects_no_nodes(expression: str) -> None:
    pytest.importorskip("lxml", reason="lxml is not installed")
    with pytest.raises(CommandFailed) as error:
        select(DOCUMENT, expression, wrap=False)
    assert error.value.lines[0].startswith(f"internal error: Incorrect xpath '{expression}'")
