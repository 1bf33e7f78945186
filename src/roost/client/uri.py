"""Connection URIs: `driver[+transport]://[user@][host][:port]/path[?parameters]`.

What a client needs of them: the socket to reach a daemon on this machine, and
the name by which that daemon opens its driver.
"""

from __future__ import annotations

import os

from roost.errors import From, InternalError, InvalidArg, NoSupport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

#: Parameters that speak to the client; the daemon never sees them.
_CLIENT_PARAMETERS = (
    *("name", "command", "socket", "auth", "sshauth", "netcat", "keyfile", "pkipath", "no_sanity", "no_verify"),
    *("no_tty", "known_hosts", "known_hosts_verify", "tls_priority", "mode", "proxy"),
)
_TRANSPORTS = ("tls", "unix", "ssh", "ext", "tcp", "libssh2", "libssh")
_SCHEME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.")

_START_SYSTEM = "is roostd running? As root, `roostd -d` starts it"
_START_SESSION = "is roostd running? `roostd -d` starts one for this user; the machine's own is at qemu:///system"

#: Which modular libvirt daemon serves a driver.
_MODULAR = {
    "qemu": "virtqemud",
    "lxc": "virtlxcd",
    "xen": "virtxend",
    "ch": "virtchd",
    "network": "virtnetworkd",
    "storage": "virtstoraged",
    "secret": "virtsecretd",
    "nodedev": "virtnodedevd",
    "interface": "virtinterfaced",
    "nwfilter": "virtnwfilterd",
}


class Uri:
    """A parsed connection URI. `host`, `user` are "" and `port` is 0 where the text has none."""

    __slots__ = ("driver", "host", "parameters", "path", "port", "text", "transport", "user")

    def __init__(self, text: str) -> None:
        """Parse `text`. Raises InternalError for what is no URI and InvalidArg for an unknown transport."""
        self.text = text
        scheme, colon, rest = text.partition(":")
        if not colon or not scheme[:1].isalpha() or not _SCHEME_CHARACTERS.issuperset(scheme) or " " in rest:
            raise InternalError(
                f"Unable to parse URI {text}", domain=From.URI, hint="it should look like qemu:///system"
            )
        self.driver, _, self.transport = scheme.partition("+")
        self.user, self.host, self.port = "", "", 0
        rest = rest.partition("#")[0]
        rest, _, query = rest.partition("?")
        if rest.startswith("//"):
            authority, slash, path = rest[2:].partition("/")
            self.path = slash + path
            self._parse_authority(authority)
        else:
            self.path = rest
        self.path = unquote(self.path)
        self.parameters = [
            (unquote(name), unquote(value))
            for name, _, value in (item.partition("=") for item in query.replace(";", "&").split("&") if item)
        ]
        if self.transport and self.transport not in _TRANSPORTS:
            raise InvalidArg(
                "remote_open: transport in URL not recognised (should be tls|unix|ssh|ext|tcp|libssh2|libssh)",
                domain=From.REMOTE,
            )

    def _parse_authority(self, authority: str) -> None:
        user, at, server = authority.rpartition("@")
        self.user = unquote(user) if at else ""
        if server.startswith("["):
            host, _, port = server[1:].partition("]")
            port = port.removeprefix(":")
        else:
            host, _, port = server.partition(":")
        self.host = unquote(host)
        if port:
            if not (port.isascii() and port.isdigit()) or int(port) > 65535:
                raise InternalError(f"Unable to parse URI {self.text}", domain=From.URI, hint="the port is no number")
            self.port = int(port)

    def parameter(self, name: str) -> str | None:
        """The value of the first parameter called `name`."""
        for key, value in self.parameters:
            if key == name:
                return value
        return None

    @property
    def is_local(self) -> bool:
        """Whether a unix socket on this machine serves it."""
        return self.transport == "unix" or (not self.transport and not self.host)

    def require_local(self) -> None:
        """Raise NoSupport unless the URI names a daemon on this machine."""
        if not self.is_local:
            way = self.transport or "tls"
            raise NoSupport(
                f"the {way} transport of {self.text}",
                domain=From.REMOTE,
                hint="roost connects to daemons on this machine only; use a URI like "
                f"{self.driver}:///{self.path.lstrip('/') or 'system'} there, or virsh for this one",
            )

    def remote_name(self) -> str:
        """The name to open at the daemon: without transport, host and the client's own parameters."""
        name = self.parameter("name")
        if name is not None:
            return name
        kept = [(key, value) for key, value in self.parameters if key not in _CLIENT_PARAMETERS]
        query = "&".join(f"{quote(key)}={quote(value)}" for key, value in kept)
        return f"{self.driver}://{quote(self.path)}" + (f"?{query}" if query else "")


def unquote(text: str) -> str:
    """Undo percent-encoding; what is not valid encoding stays as it is."""
    if "%" not in text:
        return text
    first, *rest = text.encode("utf-8", "surrogateescape").split(b"%")
    decoded = [first]
    for piece in rest:
        try:
            decoded.append(bytes.fromhex(piece[:2].decode("ascii")) + piece[2:] if len(piece) > 1 else b"%" + piece)
        except ValueError:
            decoded.append(b"%" + piece)
    return b"".join(decoded).decode("utf-8", "surrogateescape")


def quote(text: str) -> str:
    """Percent-encode what may not stand in a path or a query value."""
    safe = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/:@!$'()*,"
    return "".join(chr(byte) if byte in safe else f"%{byte:02X}" for byte in text.encode("utf-8", "surrogateescape"))


class Address:
    """One socket to try. path: where; cure: what helps when no daemon listens there."""

    __slots__ = ("cure", "path")

    def __init__(self, path: str, cure: str) -> None:
        self.path = path
        self.cure = cure

    def __repr__(self) -> str:
        return f"Address({self.path!r})"


def addresses(uri: Uri | None, *, read_only: bool, user_id: int, environ: Mapping[str, str]) -> list[Address]:
    """Where a daemon for `uri` may listen, best first; roost's own sockets come before libvirt's.

    uri: None means that no URI is known and the daemon is to choose a driver.
    """
    chosen = uri.parameter("socket") if uri else None
    if chosen is not None:
        return [Address(chosen, "does a daemon listen at this path?")]
    names = [("roost", "roost-sock"), ("libvirt", "libvirt-sock")]
    modular = _MODULAR.get(uri.driver) if uri else None
    if modular:
        names.append(("libvirt", f"{modular}-sock"))
    suffix = "-ro" if read_only else ""
    of_system = [Address(f"/run/{folder}/{name}{suffix}", _START_SYSTEM) for folder, name in names]
    if user_id == 0:
        return of_system
    runtime = environ.get("XDG_RUNTIME_DIR") or os.path.join(environ.get("HOME") or "/", ".cache")
    of_session = [Address(os.path.join(runtime, folder, name), _START_SESSION) for folder, name in names]
    if uri is None or uri.path == "/session":
        return of_session
    if uri.driver == "test":
        return of_session + of_system
    return of_system
