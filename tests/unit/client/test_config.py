"""The client's configuration file: aliases, the default URI, and errors with their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from roost.client import config
from roost.errors import ConfSyntax, InternalError, ReadFailed

EXAMPLE = """
# aliases
uri_aliases = [
  "hail=qemu+ssh://root@hail.example.com/system",   # one
  'here=qemu:///system',
]
uri_default = "qemu:///session"
count = -3
text = \"\"\"two
lines\"\"\"
empty = []
numbers = [ 1, 2 ]
"""


def test_values() -> None:
    assert config.parse(EXAMPLE) == {
        "uri_aliases": ["hail=qemu+ssh://root@hail.example.com/system", "here=qemu:///system"],
        "uri_default": "qemu:///session",
        "count": -3,
        "text": "two\nlines",
        "empty": [],
        "numbers": [1, 2],
    }


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a 1", 1, "expecting an assignment"),
        ("\n\na = ", 3, "expecting a value"),
        ('a = "x\n', 1, "unterminated string"),
        ("a = 'x", 1, "unterminated string"),
        ('a = """x', 1, "unterminated string"),
        ("a = 1 2", 1, "expecting a separator"),
        ("a = [1 2]", 1, "expecting a separator in list"),
        ("a = [\n1,\n2", 3, "list is not closed"),
        ("= 1", 1, "expecting a name"),
        ("1a = 1", 1, "expecting a name"),
        ("a = -", 1, "expecting a value"),
    ],
)
def test_errors_name_their_place(text: str, line: int, what: str) -> None:
    with pytest.raises(ConfSyntax) as error:
        config.parse(text, "file.conf")
    assert f"file.conf:{line}: {what}" in error.value.message


def test_earlier_files_win(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text('uri_default = "a:///"\n')
    second.write_text('uri_default = "b:///"\nmore = 1\n')
    assert config.load([str(first), str(tmp_path / "absent"), str(second)]) == {"uri_default": "a:///", "more": 1}


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReadFailed, match=str(tmp_path)):
        config.load([str(tmp_path)])


def test_files_are_looked_for_in_order() -> None:
    assert config.paths({"HOME": "/home/me"}) == [
        "/home/me/.config/roost/roost.conf",
        "/home/me/.config/libvirt/libvirt.conf",
        "/etc/roost/roost.conf",
        "/etc/libvirt/libvirt.conf",
    ]
    assert config.paths({"HOME": "/home/me", "XDG_CONFIG_HOME": "/c"})[0] == "/c/roost/roost.conf"


def test_default_uri() -> None:
    settings = config.parse('uri_default = "test:///default"')
    assert config.default_uri(settings, {}) == "test:///default"
    assert config.default_uri(settings, {"LIBVIRT_DEFAULT_URI": "qemu:///system"}) == "qemu:///system"
    assert config.default_uri({}, {}) is None
    assert config.default_uri({"uri_default": ""}, {}) is None
    with pytest.raises(InternalError, match="Expected a string for 'uri_default'"):
        config.default_uri({"uri_default": 1}, {})


def test_aliases() -> None:
    settings = config.parse(EXAMPLE)
    assert config.resolve_alias("here", settings) == "qemu:///system"
    assert config.resolve_alias("nowhere", settings) == "nowhere"
    assert config.resolve_alias("qemu:///system", settings) == "qemu:///system"
    assert config.resolve_alias("here", {}) == "here"


@pytest.mark.parametrize(
    ("entries", "what"),
    [
        ('"here"', "Expected a list"),
        ("[1]", "Expected a string"),
        ('["here"]', "expected 'alias=uri://host/path'"),
        ('["a b=qemu:///system"]', "aliases may only contain"),
    ],
)
def test_bad_aliases(entries: str, what: str) -> None:
    with pytest.raises(InternalError) as error:
        config.resolve_alias("here", config.parse(f"uri_aliases = {entries}"))
    assert what in error.value.message
