"""Names of backing images as images carry them: paths, URLs, QEMU's json: notation. Dry, and fed with hostile text."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any, get_args
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from roost.model.domain.devices.disk import AnyDiskSource, BlockSource, FileSource, NetworkDiskHost, NetworkSource
from roost.model.domain.devices.disksource import NetworkProtocol

_PROTOCOLS = frozenset(get_args(NetworkProtocol))


class BadName(ValueError):
    """A name that means no image this driver can reach; says why."""


def source_of(name: str, directory: str) -> AnyDiskSource:
    """The source a backing image's name means. directory: of the image that carries it. Raises BadName."""
    if name.startswith("json:"):
        return _from_json(name.removeprefix("json:"), directory)
    if name.startswith("nbd:") and not name.startswith("nbd://"):
        return _old_nbd(name)
    scheme, colon, _ = name.partition("://")
    if colon and scheme == "file":
        return FileSource(file=_clean(unquote(name.removeprefix("file://")), directory))
    if colon and scheme.partition("+")[0] in _PROTOCOLS:
        return _from_url(name)
    prefix, colon, _ = name.partition(":")
    if colon and "/" not in prefix and prefix not in ("", "."):
        raise BadName(f"unsupported protocol '{prefix}'")
    return FileSource(file=_clean(name, directory))


def _clean(path: str, directory: str) -> str:
    return posixpath.normpath(posixpath.join(directory, path))


def _from_url(url: str) -> NetworkSource:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadName(f"malformed URL '{url}'") from None
    protocol, _, transport = parts.scheme.partition("+")
    name: str | None = unquote(parts.path)
    if protocol in ("nbd", "rbd", "gluster", "iscsi"):
        name = (name or "").removeprefix("/") or None
    if transport == "unix":
        socket = parse_qs(parts.query).get("socket", [""])[0]
        host = NetworkDiskHost(transport="unix", socket=socket)
    else:
        host = NetworkDiskHost(name=parts.hostname or "", port=port)
    query = parts.query if protocol in ("http", "https") else ""
    return _network(protocol, name, host, query or None)


def _network(protocol: Any, name: str | None, host: NetworkDiskHost, query: str | None = None) -> NetworkSource:
    return NetworkSource(protocol=protocol, name=name, hosts=(host,), query=query)


def _old_nbd(name: str) -> NetworkSource:
    """`nbd:HOST:PORT[:exportname=NAME]` and `nbd:unix:PATH[:exportname=NAME]`."""
    place, _, export = name.removeprefix("nbd:").partition(":exportname=")
    first, _, rest = place.partition(":")
    if first == "unix":
        return _network("nbd", export or None, NetworkDiskHost(transport="unix", socket=rest))
    if not rest.isdecimal():
        raise BadName(f"malformed nbd backing name '{name}'")
    return _network("nbd", export or None, NetworkDiskHost(name=first, port=int(rest)))


def _from_json(text: str, directory: str) -> AnyDiskSource:
    try:
        data = msgspec.json.decode(text.encode("utf-8", "surrogateescape"))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise BadName("malformed json: backing name") from None
    if not isinstance(data, dict):
        raise BadName("malformed json: backing name")
    # The image may be named with its format's node around it, and with the names of members joined by dots.
    inner = data.get("file")
    nested = inner if isinstance(inner, dict) else {k[5:]: v for k, v in data.items() if k.startswith("file.")}
    node: Mapping[str, Any] = nested if nested.get("driver") else data
    driver = node.get("driver")
    if driver in ("file", "host_device", "host_cdrom") or (driver is None and "filename" in node):
        path = node.get("filename")
        if not isinstance(path, str) or not path:
            raise BadName("missing 'filename' in json: backing name")
        path = _clean(path.removeprefix("file:"), directory)
        return FileSource(file=path) if driver in (None, "file") else BlockSource(dev=path)
    if driver == "nbd":
        return _network("nbd", _text(node, "export"), _server(node))
    if driver in ("http", "https", "ftp", "ftps"):
        return _from_url(_text(node, "url") or "")
    if driver == "ssh":
        return _network("ssh", _text(node, "path"), _server(node))
    raise BadName(f"unsupported driver '{driver}' in json: backing name")


def _text(node: Mapping[str, Any], name: str) -> str | None:
    value = node.get(name)
    return value if isinstance(value, str) else None


def _server(node: Mapping[str, Any]) -> NetworkDiskHost:
    given = node.get("server")
    server = given if isinstance(given, dict) else {k[7:]: v for k, v in node.items() if k.startswith("server.")}
    if server.get("type") == "unix":
        return NetworkDiskHost(transport="unix", socket=_text(server, "path") or _text(server, "socket"))
    host, port = _text(server, "host"), str(server.get("port") or 0)
    if not host or not port.isdecimal():
        raise BadName("missing server in json: backing name")
    return NetworkDiskHost(name=host, port=int(port) or None)


__all__ = ["BadName", "source_of"]
