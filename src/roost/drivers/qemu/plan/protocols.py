"""How QEMU reaches what backs an image: the block driver of each kind of source and network protocol."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from roost.drivers.qemu.plan.pieces import Props, compact
from roost.errors import ConfigUnsupported, From, InternalError
from roost.model.domain.devices.disk import Auth, NetworkDiskHost, NetworkSource


class Keys:
    """The names of the objects that a source's node refers to; None for those it has not."""

    __slots__ = ("auth", "cookies", "encryption", "tls")

    def __init__(
        self,
        auth: str | None = None,
        encryption: str | None = None,
        cookies: str | None = None,
        tls: str | None = None,
    ) -> None:
        self.auth, self.encryption, self.cookies, self.tls = auth, encryption, cookies, tls


def _one_host(source: NetworkSource, text: str) -> NetworkDiskHost:
    if len(source.hosts) != 1:
        raise InternalError(text, domain=From.QEMU, hint="exactly one <host>")
    return source.hosts[0]


def _port(host: NetworkDiskHost) -> str:
    return str(host.port or 0)


def _socket_address(host: NetworkDiskHost) -> Props:
    if host.transport == "unix":
        return {"type": "unix", "path": host.socket}
    if host.transport is not None:
        raise InternalError(
            f"transport protocol '{host.transport}' is not yet supported",
            domain=From.QEMU,
            hint="transport='tcp' or 'unix'",
        )
    return {"type": "inet", "host": host.name, "port": _port(host)}


def _inet_address(host: NetworkDiskHost) -> Props:
    if host.transport is not None:
        raise InternalError(
            "only TCP protocol can be converted to InetSocketAddress", domain=From.QEMU, hint="transport='tcp'"
        )
    return {"host": host.name, "port": _port(host)}


def _split(source: NetworkSource) -> tuple[str, str]:
    """Pool (or volume) and image of a name."""
    pool, _, image = (source.name or "").partition("/")
    return pool, image


def _nbd(source: NetworkSource, auth: Auth | None, keys: Keys) -> Props:
    host = _one_host(source, "nbd protocol accepts only one host")
    return {
        "server": _socket_address(host),
        "export": source.name,
        "tls-creds": keys.tls,
        "tls-hostname": source.tls_hostname,
        "reconnect-delay": source.reconnect_delay,
    }


#: How much Gluster's client logs, of 0 to 9.
_GLUSTER_DEBUG = 4


def _gluster(source: NetworkSource, auth: Auth | None, keys: Keys) -> Props:
    volume, path = _split(source)
    return {
        "volume": volume,
        "path": path,
        "server": [_socket_address(host) for host in source.hosts],
        "debug": _GLUSTER_DEBUG,
    }


def _rbd(source: NetworkSource, auth: Auth | None, keys: Keys) -> Props:
    pool, image = _split(source)
    props: Props = {
        "pool": pool,
        "image": image,
        "snapshot": source.snapshot,
        "conf": source.config,
        "server": [_inet_address(host) for host in source.hosts] or None,
    }
    if auth is not None:
        props |= {"user": auth.username, "auth-client-required": ["cephx", "none"], "key-secret": keys.auth}
    return props


def _iscsi(source: NetworkSource, auth: Auth | None, keys: Keys) -> Props:
    host = _one_host(source, "iscsi protocol accepts only one host")
    target, _, unit = (source.name or "").partition("/")
    if not unit.isdecimal():
        raise InternalError(f"cannot parse target for lunStr '{target}'", domain=From.QEMU, hint="name='iqn.../0'")
    return {
        "portal": f"{_bracketed(host.name or '')}:{_port(host)}",
        "target": target,
        "lun": int(unit),
        "transport": "tcp",
        "user": auth.username if auth is not None else None,
        "password-secret": keys.auth,
        "initiator-name": source.initiator,
    }


def _bracketed(name: str) -> str:
    try:
        return f"[{name}]" if ipaddress.ip_address(name).version == 6 else name
    except ValueError:
        return name


def _url(source: NetworkSource) -> str:
    host = _one_host(source, f"protocol '{source.protocol}' accepts only one host")
    scheme = source.protocol if host.transport is None else f"{source.protocol}+{host.transport}"
    name = source.name or ""
    path = quote(name if name.startswith("/") else f"/{name}", safe="/:@!$&'()*+,;=~-._")
    port = f":{host.port}" if host.transport is None and host.port else ""
    query = f"?{source.query}" if source.query else ""
    return f"{scheme}://{_bracketed(host.name or '')}{port}{path}{query}"


def _curl(source: NetworkSource, auth: Auth | None, keys: Keys) -> Props:
    return {
        "url": _url(source),
        "username": auth.username if auth is not None else None,
        "password-secret": keys.auth,
        "sslverify": source.ssl_verify,
        "cookie-secret": keys.cookies,
        "timeout": source.timeout,
        "readahead": source.readahead,
    }


def _ssh(source: NetworkSource, auth: Auth | None, keys: Keys) -> Props:
    host = _one_host(source, "ssh protocol accepts only one host")
    identity = source.identity
    user = auth.username if auth is not None else identity.username if identity is not None else None
    if identity is not None and (identity.keyfile or identity.agentsock):
        raise ConfigUnsupported(
            "ssh keys of disks are not supported with this QEMU binary",
            domain=From.QEMU,
            hint="QEMU's own ssh client asks the agent of its user; leave keyfile and agentsock out",
        )
    return {"path": source.name, "server": _inet_address(host), "user": user}


def _sheepdog(source: NetworkSource, auth: Auth | None, keys: Keys) -> Props:
    return {
        "server": _socket_address(_one_host(source, "sheepdog protocol accepts only one host")),
        "vdi": source.name,
    }


def _vxhs(source: NetworkSource, auth: Auth | None, keys: Keys) -> Props:
    host = _one_host(source, "VxHS protocol accepts only one host")
    return {"tls-creds": keys.tls, "vdisk-id": source.name, "server": _inet_address(host)}


def _nfs(source: NetworkSource, auth: Auth | None, keys: Keys) -> Props:
    host = _one_host(source, "'nfs' protocol requires the usage of exactly one host")
    identity = source.identity
    return {
        "server": {"host": host.name, "type": "inet"},
        "path": source.name,
        "user": _id(identity.user) if identity is not None else None,
        "group": _id(identity.group) if identity is not None else None,
    }


def _id(text: str | None) -> int | None:
    """A user or group by number; `+0` marks that it is none of the names."""
    if text is None:
        return None
    number = text.removeprefix("+")
    if not number.isdecimal():
        raise ConfigUnsupported(
            f"unknown identity '{text}' for disk protocol 'nfs'", domain=From.QEMU, hint="a number, as in user='1000'"
        )
    return int(number)


_PROTOCOLS: Mapping[str, Callable[[NetworkSource, Auth | None, Keys], Props]] = {
    "nbd": _nbd,
    "gluster": _gluster,
    "rbd": _rbd,
    "iscsi": _iscsi,
    "http": _curl,
    "https": _curl,
    "ftp": _curl,
    "ftps": _curl,
    "tftp": _curl,
    "ssh": _ssh,
    "sheepdog": _sheepdog,
    "vxhs": _vxhs,
    "nfs": _nfs,
}

#: Protocols that can be encrypted on their way.
TLS_PROTOCOLS = frozenset(("nbd", "vxhs"))


def network_props(source: NetworkSource, auth: Auth | None, keys: Keys) -> Props:
    """The properties of the node that reaches an image at a server. Raises what libvirt says of a wrong host."""
    protocol = source.protocol or ""
    if source.tls and protocol not in TLS_PROTOCOLS:
        raise ConfigUnsupported(
            f"TLS transport is not supported for disk protocol '{protocol}'", domain=From.QEMU, hint="tls='no'"
        )
    props: dict[str, Any] = {"driver": protocol, **_PROTOCOLS[protocol](source, auth, keys)}
    return compact(props)


__all__ = ["TLS_PROTOCOLS", "Keys", "network_props"]
