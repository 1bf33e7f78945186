"""Client configuration: URI aliases and the default URI.

The files are libvirt's `libvirt.conf` format: `key = value` lines, where a
value is a number, a quoted string or a bracketed list of those.
"""

from __future__ import annotations

import os

from roost.errors import ConfSyntax, From, InternalError, ReadFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Value = str | int | list[str | int]

_ALIAS_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_SPACE = " \t"


def paths(environ: Mapping[str, str]) -> list[str]:
    """The configuration files in order of precedence: the user's before the system's, roost's before libvirt's."""
    home = environ.get("XDG_CONFIG_HOME") or os.path.join(environ.get("HOME") or "/", ".config")
    return [
        os.path.join(home, "roost/roost.conf"),
        os.path.join(home, "libvirt/libvirt.conf"),
        "/etc/roost/roost.conf",
        "/etc/libvirt/libvirt.conf",
    ]


def load(files: Sequence[str]) -> dict[str, Value]:
    """The merged settings of those `files` that exist; the first file that sets a key wins.

    Raises ReadFailed for a file that cannot be read and ConfSyntax for one that cannot be parsed.
    """
    merged: dict[str, Value] = {}
    for path in files:
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                text = file.read()
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue
        except OSError as error:
            raise ReadFailed(f"'{path}': {error.strerror}", domain=From.CONF) from None
        for key, value in parse(text, path).items():
            merged.setdefault(key, value)
    return merged


def default_uri(settings: Mapping[str, Value], environ: Mapping[str, str]) -> str | None:
    """The URI to open when none was given: LIBVIRT_DEFAULT_URI, then `uri_default`."""
    if environ.get("LIBVIRT_DEFAULT_URI"):
        return environ["LIBVIRT_DEFAULT_URI"]
    value = settings.get("uri_default")
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InternalError("Expected a string for 'uri_default' config parameter")
    return value


def resolve_alias(name: str, settings: Mapping[str, Value]) -> str:
    """The URI that `name` stands for in `uri_aliases`, or `name` itself."""
    entries = settings.get("uri_aliases")
    if entries is None or not name or not _ALIAS_CHARACTERS.issuperset(name):
        return name
    if not isinstance(entries, list):
        raise InternalError("Expected a list for 'uri_aliases' config parameter")
    for entry in entries:
        if not isinstance(entry, str):
            raise InternalError("Expected a string for 'uri_aliases' config parameter list entry")
        alias, equals, target = entry.partition("=")
        if not equals:
            raise InternalError(
                f"Malformed 'uri_aliases' config entry '{entry}', expected 'alias=uri://host/path'", domain=From.CONF
            )
        if not _ALIAS_CHARACTERS.issuperset(alias):
            raise InternalError(
                f"Malformed 'uri_aliases' config entry '{entry}', aliases may only contain 'a-Z, 0-9, _, -'",
                domain=From.CONF,
            )
        if alias == name:
            return target
    return name


def parse(text: str, path: str = "(memory)") -> dict[str, Value]:
    """The settings in `text`; `path` is for messages. Raises ConfSyntax with file and line."""
    return _Parser(text, path).settings()


class _Parser:
    def __init__(self, text: str, path: str) -> None:
        self._text = text
        self._path = path
        self._at = 0

    def settings(self) -> dict[str, Value]:
        found: dict[str, Value] = {}
        while self._skip_blank():
            name = self._name()
            self._skip(_SPACE)
            if self._peek() != "=":
                raise self._error("expecting an assignment")
            self._at += 1
            self._skip(_SPACE)
            found[name] = self._value()
            self._skip(_SPACE)
            if self._peek() == "#":
                self._skip_line()
            if self._peek() not in ("", "\n", "\r"):
                raise self._error("expecting a separator")
        return found

    def _value(self) -> Value:
        if self._peek() != "[":
            return self._scalar()
        self._at += 1
        items: list[str | int] = []
        while True:
            self._skip_blank()
            if self._peek() == "]":
                self._at += 1
                return items
            items.append(self._scalar())
            self._skip_blank()
            if self._peek() == ",":
                self._at += 1
            elif self._peek() != "]":
                raise self._error("list is not closed with ]" if not self._peek() else "expecting a separator in list")

    def _scalar(self) -> str | int:
        quote = self._peek()
        if quote and quote in "'\"":
            if self._text.startswith('"""', self._at):
                quote = '"""'
            end = self._text.find(quote, self._at + len(quote))
            if end < 0 or (len(quote) == 1 and "\n" in self._text[self._at : end]):
                raise self._error("unterminated string")
            value = self._text[self._at + len(quote) : end]
            self._at = end + len(quote)
            return value
        start = self._at
        if quote == "-":
            self._at += 1
        self._skip("0123456789")
        digits = self._text[start : self._at]
        if not digits or digits == "-":
            raise self._error("expecting a value")
        return int(digits)

    def _name(self) -> str:
        start = self._at
        while self._peek() and (self._peek().isalnum() or self._peek() in "_.:-/"):
            self._at += 1
        name = self._text[start : self._at]
        if not name or not name[0].isalpha():
            raise self._error("expecting a name")
        return name

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self, characters: str) -> None:
        while self._at < len(self._text) and self._text[self._at] in characters:
            self._at += 1

    def _skip_line(self) -> None:
        end = self._text.find("\n", self._at)
        self._at = len(self._text) if end < 0 else end

    def _skip_blank(self) -> bool:
        """Past white space and comments; False at the end of the text."""
        while True:
            self._skip(" \t\r\n")
            if self._peek() != "#":
                return self._at < len(self._text)
            self._skip_line()

    def _error(self, what: str) -> ConfSyntax:
        line = self._text.count("\n", 0, self._at) + 1
        return ConfSyntax(f"{self._path}:{line}: {what}", domain=From.CONF)
