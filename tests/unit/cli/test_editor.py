"""Editing: what the editor does to the text, what the daemon says to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from roost.errors import XmlError
from roost.protocol.types import Domain
from support.answers import Answers
from unit.cli.conftest import Roost

WEB = Domain("web", bytes(16), 7)


@pytest.fixture
def documents(daemon: Answers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What the daemon holds; the last one is the present one."""
    held = ["<domain>old</domain>\n"]

    def define(text: str, flags: int) -> tuple[Domain]:
        if "bad" in text:
            raise XmlError("bad element")
        held.append(text)
        return (WEB,)

    daemon.answers |= {
        "DOMAIN_LOOKUP_BY_NAME": lambda name: (WEB,),
        "DOMAIN_GET_STATE": lambda domain, flags: (1, 1),
        "DOMAIN_GET_XML_DESC": lambda domain, flags: (held[-1],),
        "DOMAIN_DEFINE_XML_FLAGS": define,
    }
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("VISUAL", raising=False)
    return held


def editor(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("EDITOR", command)


def test_a_change(
    roost: Roost, documents: list[str], monkeypatch: pytest.MonkeyPatch, daemon: Answers, tmp_path: Path
) -> None:
    editor(monkeypatch, "sed -i s/old/new/")
    assert roost("edit", "web").out == "Domain 'web' XML configuration edited.\n\n"
    assert documents[-1] == "<domain>new</domain>\n"
    # With passwords, of the next start, and checked against the schema.
    assert ("DOMAIN_GET_XML_DESC", (WEB, 3)) in daemon.calls
    assert ("DOMAIN_DEFINE_XML_FLAGS", (documents[-1], 1)) in daemon.calls
    assert list(tmp_path.iterdir()) == []


def test_without_validation(
    roost: Roost, documents: list[str], monkeypatch: pytest.MonkeyPatch, daemon: Answers
) -> None:
    editor(monkeypatch, "sed -i s/old/new/")
    assert roost("edit", "web", "--skip-validate").code == 0
    assert ("DOMAIN_DEFINE_XML_FLAGS", (documents[-1], 0)) in daemon.calls


def test_no_change(roost: Roost, documents: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    editor(monkeypatch, "true")
    assert roost("edit", "web").out == "Domain 'web' XML configuration not changed.\n\n"


def test_a_refused_change(roost: Roost, documents: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    editor(monkeypatch, "sed -i s/old/bad/")
    outcome = roost("edit", "web")
    assert outcome.code == 1
    assert outcome.err == "error: Failed.\nerror: XML error: bad element\n"
    assert list(tmp_path.iterdir()) == []


def test_a_change_by_somebody_else(
    roost: Roost, documents: list[str], monkeypatch: pytest.MonkeyPatch, daemon: Answers
) -> None:
    editor(monkeypatch, "sed -i s/old/new/")
    texts = iter(["<domain>old</domain>", "<domain>other</domain>"])
    daemon.answers["DOMAIN_GET_XML_DESC"] = lambda domain, flags: (next(texts),)
    outcome = roost("edit", "web")
    assert outcome.err == "error: The XML configuration was changed by another user.\n"
    assert len(documents) == 1


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("/proc/nonexistent/editor", "cannot run the editor '/proc/nonexistent/editor'"),
        ("nosuch-editor --flag", "cannot run the editor 'nosuch-editor --flag'"),
        ("false", "the editor 'false' ended with code 1; nothing was changed"),
    ],
)
def test_editors_that_fail(
    roost: Roost, documents: list[str], monkeypatch: pytest.MonkeyPatch, command: str, message: str
) -> None:
    editor(monkeypatch, command)
    outcome = roost("edit", "web")
    assert outcome.code == 1
    assert message in outcome.err
    assert len(documents) == 1


def test_no_room_for_the_file(roost: Roost, documents: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/proc/nonexistent")
    assert "failed to write a temporary file in /proc/nonexistent" in roost("edit", "web").err


def test_descriptions(roost: Roost, documents: list[str], monkeypatch: pytest.MonkeyPatch, daemon: Answers) -> None:
    daemon.answers |= {
        "DOMAIN_GET_METADATA": lambda *_: ("old",),
        "DOMAIN_SET_METADATA": lambda *_: (),
    }
    editor(monkeypatch, "sed -i s/old/new/")
    assert roost("desc", "web", "--edit").out == "Domain description updated successfully\n"
    editor(monkeypatch, "true")
    assert roost("desc", "web", "--edit", "--title").out == "Domain title not changed\n\n"
    assert roost("desc", "web", "--edit", "given").code == 0
    assert [call[2] for name, call in daemon.calls if name == "DOMAIN_SET_METADATA"] == ["new", "given"]


def test_metadata(roost: Roost, documents: list[str], monkeypatch: pytest.MonkeyPatch, daemon: Answers) -> None:
    daemon.answers |= {"DOMAIN_GET_METADATA": lambda *_: ("<a>old</a>",), "DOMAIN_SET_METADATA": lambda *_: ()}
    editor(monkeypatch, "sed -i s/old/new/")
    assert roost("metadata", "web", "http://x", "--key", "k", "--edit").out == "Metadata modified\n\n"
    assert ("DOMAIN_SET_METADATA", (WEB, 2, "<a>new</a>", "k", "http://x", 0)) in daemon.calls
