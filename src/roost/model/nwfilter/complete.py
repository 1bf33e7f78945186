"""Completion of a filter: what libvirt adds to it, how it brings rules into its own form, and what it refuses."""

from __future__ import annotations

import re
import secrets
from typing import Any

from msgspec.structs import replace

from roost.errors import From, InternalError, InvalidArg, RoostError
from roost.model.nwfilter import protocols
from roost.model.nwfilter.filter import MAX_PRIORITY, MIN_PRIORITY, AnyEntry, Filter, Rule
from roost.model.nwfilter.protocols import AnyMatch, IpMatch, Ipv6Match, Match
from roost.model.shared.filterref import complete_parameters
from roost.model.shared.identity import Entropy, random_uuid

_ROOT = "root"
#: Chains by the start of their names, and the priority of those that give none.
_CHAINS = {
    _ROOT: 0, "mac": -800, "vlan": -750, "stp": 0, "arp": -500, "rarp": -400, "ipv4": -700, "ipv6": -600,
}  # fmt: skip
_CHAIN = re.compile(r"[a-zA-Z0-9_.:-]*\Z")
_LONGEST_CHAIN = 12
#: Protocols above IP that have ports, as <ip protocol=…> may say them.
_WITH_PORTS = frozenset(("tcp", "udp", "33", "0x21", "sctp"))
_PORTS = ("srcportstart", "srcportend", "dstportstart", "dstportend")


def complete(filter: Filter, *, entropy: Entropy = secrets.token_bytes) -> Filter:
    """The filter as it will be kept and shown. entropy: random bytes, for a UUID. Raises libvirt's errors."""
    priority = filter.priority
    if priority is not None and not MIN_PRIORITY <= priority <= MAX_PRIORITY:
        raise _wrong(f"Priority '{priority}' is outside valid range of [{MIN_PRIORITY},{MAX_PRIORITY}]")
    if filter.chain is None:
        # A priority counts only beside a chain.
        chain, priority = _ROOT, None
    else:
        chain = filter.chain
        usual = _CHAINS[_check_chain(chain)]
        priority = usual if priority is None else priority
    return replace(
        filter,
        chain=chain,
        priority=priority or None,
        uuid=filter.uuid or random_uuid(entropy),
        entries=tuple(_entry(entry) for entry in filter.entries),
    )


def _wrong(text: str) -> RoostError:
    return InvalidArg(text, domain=From.NWFILTER)


def _check_chain(chain: str) -> str:
    """What the name of a chain starts with. Raises InvalidArg."""
    if len(chain.encode()) > _LONGEST_CHAIN:
        raise _wrong(f"Name of chain is longer than {_LONGEST_CHAIN} characters")
    if _CHAIN.match(chain) is None:
        raise _wrong("Chain name contains invalid characters")
    for prefix in _CHAINS:
        if chain == prefix or (prefix != _ROOT and chain.startswith(prefix)):
            return prefix
    others = ", ".join(name for name in _CHAINS if name != _ROOT)
    raise _wrong(
        f"Invalid chain name '{chain}'. Please use a chain name called 'root' "
        f"or any of the following prefixes: {others}"
    )


def _entry(entry: AnyEntry) -> AnyEntry:
    if isinstance(entry, Rule):
        return replace(entry, matches=_matches(entry.matches))
    return replace(entry, parameters=complete_parameters(entry.parameters))


#: What a field says, and whether packets must not have it.
_Said = dict[str, tuple[str, bool]]


def _matches(matches: tuple[AnyMatch, ...]) -> tuple[AnyMatch, ...]:
    """One protocol's values, in as few elements as say which of them must not be.

    Elements of one protocol add to one another; those of others than the first are ignored.
    """
    if not matches:
        return ()
    cls: type[AnyMatch] = type(matches[0])
    said: _Said = {}
    for match in matches:
        if type(match) is not cls:
            continue
        for field in _fields(cls):
            value = getattr(match, field)
            if value is not None:
                said[field] = (value, match.match is False)
        _check_ports(cls, said)
    _settle_set(cls, said)
    for field, decides in _decided(cls):
        if field in said:
            said[field] = (said[field][0], said.get(decides, ("", False))[1])
    return tuple(_elements(cls, said)) or (cls(),)


def _fields(cls: type[Match]) -> tuple[str, ...]:
    """The fields in the order in which they are written."""
    return (*(name for name in cls.__struct_fields__ if name not in Match.__struct_fields__), "comment")


def _elements(cls: type[AnyMatch], said: _Said) -> list[AnyMatch]:
    """One record for each run of fields that agree whether packets have or do not have them."""
    runs: list[tuple[bool, dict[str, Any]]] = []
    for field in _fields(cls):
        if field in said:
            value, negated = said[field]
            if not runs or runs[-1][0] is not negated:
                runs.append((negated, {}))
            runs[-1][1][field] = value
    return [cls(match=False if negated else None, **values) for negated, values in runs]


def _check_ports(cls: type[Match], said: _Said) -> None:
    if cls in (IpMatch, Ipv6Match) and any(port in said for port in _PORTS):
        protocol = said.get("protocol", ("", False))[0]
        if protocol not in _WITH_PORTS:
            name = "IP" if cls is IpMatch else "IPv6"
            raise InternalError(
                f"{name} rule with port specification requires protocol specification with protocol to be either one "
                "of tcp(6), udp(17), dccp(33), or sctp(132)",
                domain=From.NWFILTER,
            )


def _settle_set(cls: type[Match], said: _Said) -> None:
    """A set is compared with where packets come from, unless flags say otherwise."""
    if not issubclass(cls, (protocols.CarriedByIpv4, protocols.CarriedByIpv6)):
        return
    if cls in (protocols.AllMatch, protocols.All6Match):
        return
    if "ipset" in said and "ipsetflags" not in said:
        said["ipsetflags"] = ("src", False)
    else:
        # libvirt forgets a set for which flags are given.
        said.pop("ipset", None)
        said.pop("ipsetflags", None)


_MASKS = (("srcipmask", "srcipaddr"), ("dstipmask", "dstipaddr"))
_MAC_MASKS = (("srcmacmask", "srcmacaddr"), ("dstmacmask", "dstmacaddr"))
_RANGES = (("srcipto", "srcipfrom"), ("dstipto", "dstipfrom"))
_PORT_RANGES = tuple((port, "srcportstart") for port in ("srcportend", "dstportstart", "dstportend"))
_STP = (
    "root_priority", "root_cost", "sender_priority", "port", "age", "max_age", "hello_time", "forward_delay",
)  # fmt: skip


def _decided(cls: type[Match]) -> tuple[tuple[str, str], ...]:
    """Fields that go with another: whether packets have them not is what that other says."""
    if cls in (protocols.MacMatch, protocols.VlanMatch):
        return _MAC_MASKS
    if cls is protocols.StpMatch:
        masks = (("root_address_mask", "root_address"), ("sender_address_mask", "sender_address"))
        return (_MAC_MASKS[0], *masks, *((f"{name}_hi", name) for name in _STP))
    if cls is IpMatch:
        return _MASKS
    if cls is Ipv6Match:
        return (*_MASKS, ("typeend", "type"), ("code", "type"), ("codeend", "type"))
    if issubclass(cls, (protocols.Ipv4Ports, protocols.Ipv6Ports)):
        return _MASKS + _RANGES + _PORT_RANGES
    if cls in (protocols.IcmpMatch, protocols.Icmp6Match):
        return (*_MASKS, *_RANGES, ("code", "type"))
    return _MASKS + _RANGES if issubclass(cls, (protocols.CarriedByIpv4, protocols.CarriedByIpv6)) else ()


__all__ = ["complete"]
