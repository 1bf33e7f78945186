"""From the URI in CONNECT_OPEN to the backend that serves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from roost.contract.interface import Backend
from roost.errors import From, InternalError, NoConnect


class Opened(NamedTuple):
    """uri: what CONNECT_GET_URI answers."""

    backend: Backend
    uri: str


#: Opens the path part of a URI ("/system"); raises RoostError when it is not served.
Opener = Callable[[str], Backend]


class Backends:
    """The URI schemes of this daemon.

    default_uri: opened for a client that sends an empty name.
    """

    def __init__(self, default_uri: str, openers: Mapping[str, Opener]) -> None:
        self._default_uri = default_uri
        self._openers = dict(openers)

    def open(self, name: str | None) -> Opened:
        """Raises InternalError without a name, NoConnect for a scheme nobody serves."""
        if name is None:
            raise InternalError("connection not open", domain=From.RPC)
        scheme, path = split(name or self._default_uri)
        opener = self._openers.get(scheme)
        if opener is None:
            served = ", ".join(f"{known}://" for known in sorted(self._openers))
            raise NoConnect(name, domain=From.NONE, hint=f"this daemon serves {served}")
        return Opened(opener(path), f"{scheme}://{path}")


def split(uri: str) -> tuple[str, str]:
    """(scheme, path) of a connection URI, without transport, host and query."""
    scheme, colon, rest = uri.partition(":")
    if not colon or not scheme:
        raise NoConnect(f"URI '{uri}' does not include a driver name", domain=From.NONE)
    if rest.startswith("//"):
        _, slash, path = rest[2:].partition("/")
        rest = slash + path
    path = rest.partition("?")[0].partition("#")[0]
    return scheme.partition("+")[0], path
