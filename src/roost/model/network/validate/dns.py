"""Rules for a network's name server: <dns>."""

from __future__ import annotations

import re

from roost.errors import From, RoostError, XmlDetail, XmlError
from roost.model.network.dns import Dns, HostRecord, SrvRecord, TxtRecord

_SERVICE = re.compile(r"[a-zA-Z0-9_+/*-]*\Z")
_PROTOCOL = re.compile(r"[a-zA-Z0-9+/-]*\Z")
#: Bytes: what a record has room for.
_LONGEST_SERVICE = 482
_MAX_NUMBER = 65535


def _wrong(text: str, hint: str = "") -> RoostError:
    return XmlDetail(text, domain=From.NETWORK, hint=hint)


def check_dns(dns: Dns, name: str) -> None:
    """All records, and that a server that is off has none."""
    for forwarder in dns.forwarders:
        if forwarder.addr is None and forwarder.domain is None:
            raise XmlError(
                "Invalid forwarder element, must contain at least one of addr or domain", domain=From.NETWORK
            )
    for host in dns.hosts:
        check_host_record(host, name)
    for srv in dns.srvs:
        check_srv(srv, name)
    for txt in dns.txts:
        check_txt(txt, name)
    if dns.enable is False and (dns.forwarders or dns.hosts or dns.srvs or dns.txts):
        raise XmlError(f"Extra data in disabled network '{name}'", domain=From.NETWORK)


def check_host_record(host: HostRecord, name: str) -> None:
    """An address has a name."""
    if not any(host.hostnames):
        raise _wrong(f"Missing hostname in network '{name}' DNS HOST record")


def check_srv(srv: SrvRecord, name: str) -> None:
    """A service has names that fit into its record, and numbers only with a target."""
    if len(srv.service.encode()) > _LONGEST_SERVICE:
        raise _wrong(
            f"service attribute '{srv.service}' in network '{name}' is too long, limit is {_LONGEST_SERVICE} bytes"
        )
    if _SERVICE.match(srv.service) is None:
        raise _wrong(f"invalid character in service attribute '{srv.service}' in DNS SRV record of network '{name}'")
    if srv.protocol is None:
        raise _wrong(f"missing required protocol attribute in DNS SRV record '{srv.service}' of network '{name}'")
    if _PROTOCOL.match(srv.protocol) is None:
        raise _wrong(
            f"invalid character in protocol attribute '{srv.protocol}' in DNS SRV record of network '{name}'",
            "for instance tcp",
        )
    where = f"for service '{srv.service}' in network '{name}'"
    for field, least, word in (("port", 1, "invalid"), ("priority", 0, "Invalid"), ("weight", 0, "invalid")):
        number = getattr(srv, field)
        if number is None:
            continue
        if srv.target is None:
            raise _wrong(f"DNS SRV {field} attribute not permitted without target {where}")
        if not least <= number <= _MAX_NUMBER:
            raise _wrong(f"{word} DNS SRV {field} attribute {where}", f"from {least} to {_MAX_NUMBER}")


def check_txt(txt: TxtRecord, name: str) -> None:
    """A text has a name without blanks, and a value."""
    if " " in txt.name or "," in txt.name:
        raise _wrong(f"prohibited character in DNS TXT record name '{txt.name}' of network {name}")
    if txt.value is None:
        raise _wrong(f"missing required value attribute in DNS TXT record named '{txt.name}' of network {name}")


__all__ = ["check_dns", "check_host_record", "check_srv", "check_txt"]
