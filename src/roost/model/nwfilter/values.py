"""What a filter's rules compare with: numbers in two bases, addresses, masks, names, or a variable of the guest.

Each is kept as text in libvirt's spelling; a variable is `$NAME`, `$NAME[3]`
(that element of a list) or `$NAME[@1]` (all of them, counted by iterator 1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from roost.errors import From, InternalError
from roost.model.shared.ip import bits_of, format_ip, netmask_bits, parse_ip_of
from roost.xml import Complaint, Value

_VARIABLE = re.compile(r"\$([a-zA-Z0-9_]*)(?:\[\s*(@?)\s*([0-9]{1,9})\s*\].*)?\Z", re.DOTALL)
_DECIMAL = re.compile(r"\s*\+?[0-9]{1,20}\Z")
_HEXADECIMAL = re.compile(r"\s*\+?(?:0[xX])?[0-9a-fA-F]{1,16}\Z")
_MAC = re.compile(r"[0-9a-fA-F]{1,2}(?::[0-9a-fA-F]{1,2}){5}\Z")
_IPSET = re.compile(r"[a-zA-Z0-9_.:\-+ ]{0,31}\Z")
_MAX_ITERATOR = 1000
_MAX_COMMENT = 256


class MatchValue(Value):
    """A value or a variable. `literal` gives the spelling of a value; ValueError when it has none."""

    wrong = Complaint(InternalError, "%a has illegal value %s", domain=From.NWFILTER)

    def parse(self, text: str) -> str:
        return variable(text) if text.startswith("$") else self.literal(text)

    def literal(self, text: str) -> str:
        raise NotImplementedError


def variable(text: str) -> str:
    """A variable in libvirt's spelling. ValueError when it is none."""
    match = _VARIABLE.match(text)
    if match is None:
        raise ValueError(text)
    name, iterates, number = match.groups()
    if number is None or (iterates and int(number) == 0):
        return f"${name}"
    if iterates and int(number) > _MAX_ITERATOR:
        raise ValueError(text)
    return f"${name}[{iterates}{int(number)}]"


class Number(MatchValue):
    """A number of some bits, decimal or hexadecimal as it was written; or a name for one.

    names: name to number, shown instead of it. least: of the numbers.
    """

    def __init__(
        self,
        bits: int,
        *,
        names: Mapping[str, int] | None = None,
        least: int = 0,
        most: int | None = None,
        hexadecimal: bool = True,
        always_decimal: bool = False,
    ) -> None:
        self.names = names or {}
        self.most = (1 << bits) - 1 if most is None else most
        self.widest = (1 << bits) - 1
        self.least, self.hexadecimal, self.always_decimal = least, hexadecimal, always_decimal
        self.expected = f"a number from {least} to {self.most}" + (
            f" or one of {', '.join(self.names)}" if names else ""
        )

    def literal(self, text: str) -> str:
        number, decimal = self._number(text)
        if not self.least <= number <= self.most:
            raise ValueError(text)
        for name, value in self.names.items():
            if value == number:
                return name
        return str(number) if decimal or self.always_decimal else f"{number:#x}"

    def _number(self, text: str) -> tuple[int, bool]:
        """The number, and whether it was written in decimal."""
        if _DECIMAL.match(text) and int(text) <= self.widest:
            return int(text), True
        if self.hexadecimal and _HEXADECIMAL.match(text) and int(text, 16) <= self.widest:
            return int(text, 16), False
        for name, value in self.names.items():
            if name.lower() == text.lower():
                return value, True
        raise ValueError(text)


class MatchMac(MatchValue):
    """A MAC address, two digits a byte."""

    expected = "a MAC address such as 52:54:00:12:34:56"

    def literal(self, text: str) -> str:
        if _MAC.match(text) is None:
            raise ValueError(text)
        return ":".join(part.zfill(2).lower() for part in text.split(":"))


class MatchMacMask(MatchMac):
    """Which bits of a MAC address count."""

    expected = "a mask such as ff:ff:ff:00:00:00, ones before zeros"

    def literal(self, text: str) -> str:
        mac = super().literal(text)
        bits = f"{int(mac.replace(':', ''), 16):048b}"
        if "01" in bits:
            raise ValueError(text)
        return mac


class MatchIp(MatchValue):
    """An address of version 4 or 6, or of either where `version` is 0."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.expected = "an IPv6 address such as fd00::1" if version == 6 else "an IPv4 address such as 10.1.2.3"

    def literal(self, text: str) -> str:
        return format_ip(parse_ip_of(text, self.version or None))


class MatchIpMask(MatchIp):
    """The length of a network's part of an address; a mask is turned into that."""

    def literal(self, text: str) -> str:
        if _DECIMAL.match(text):
            if int(text) > bits_of(self.version):
                raise ValueError(text)
            return str(int(text))
        bits = netmask_bits(super().literal(text))
        if bits < 0:
            raise ValueError(text)
        return str(bits)


_SEPARATORS = ", \t\r\n\v\f"


def _words(text: str, known: tuple[str, ...]) -> set[str]:
    """The words in a text, in any case, with commas or blanks between them; ValueError for other words."""
    found: set[str] = set()
    rest = text.lstrip(_SEPARATORS)
    while rest:
        word = next((word for word in known if rest.upper().startswith(word)), None)
        if word is None:
            raise ValueError(text)
        found.add(word)
        rest = rest[len(word) :].lstrip(_SEPARATORS)
    return found


_STATES = ("NEW", "ESTABLISHED", "RELATED", "INVALID")


class ConnectionStates(MatchValue):
    """States of a connection; NONE alone counts when it is among them."""

    expected = "some of NEW,ESTABLISHED,RELATED,INVALID or NONE"

    def literal(self, text: str) -> str:
        found = _words(text, (*_STATES, "NONE"))
        return "NONE" if "NONE" in found else ",".join(state for state in _STATES if state in found)


_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")


class TcpFlags(MatchValue):
    """Which flags are looked at, and which of them are set: MASK/FLAGS."""

    expected = "flags such as SYN,ACK/SYN"

    def literal(self, text: str) -> str:
        mask, slash, flags = text.partition("/")
        if not slash:
            raise ValueError(text)
        return f"{self._shown(mask)}/{self._shown(flags)}"

    def _shown(self, text: str) -> str:
        found = _words(text, (*_FLAGS, "ALL", "NONE"))
        if "ALL" in found or found >= set(_FLAGS):
            return "ALL"
        return ",".join(flag for flag in _FLAGS if flag in found) or "NONE"


class IpsetName(MatchValue):
    """The name of a set of addresses."""

    expected = "a name of at most 31 letters, digits and _.:-+"

    def literal(self, text: str) -> str:
        if _IPSET.match(text) is None:
            raise ValueError(text)
        return text


class IpsetFlags(MatchValue):
    """Which part of a packet each dimension of the set is compared with: src or dst, up to six."""

    expected = "up to six of src and dst, separated by commas"

    def literal(self, text: str) -> str:
        words = text.lower().split(",")
        if len(words) > 6 or not set(words) <= {"src", "dst"}:
            raise ValueError(text)
        return ",".join(words)


class Comment(MatchValue):
    """Text of at most 256 bytes; the rest is forgotten."""

    def literal(self, text: str) -> str:
        return text.encode()[:_MAX_COMMENT].decode(errors="ignore")


class Truth(MatchValue):
    """true, 1 or yes; whatever else is false."""

    expected = "true or false"

    def literal(self, text: str) -> str:
        return "true" if text in ("true", "1", "yes") else "false"


ETHERTYPES = {"arp": 0x806, "rarp": 0x8035, "ipv4": 0x800, "ipv6": 0x86DD, "vlan": 0x8100}
OPCODES = {
    "Request": 1, "Reply": 2, "Request_Reverse": 3, "Reply_Reverse": 4, "DRARP_Request": 5, "DRARP_Reply": 6,
    "DRARP_Error": 7, "InARP_Request": 8, "ARP_NAK": 9,
}  # fmt: skip
PROTOCOLS = {
    "tcp": 6, "udp": 17, "udplite": 136, "esp": 50, "ah": 51, "icmp": 1, "igmp": 2, "sctp": 132, "icmpv6": 58,
}  # fmt: skip
_FIRST_ETHERTYPE = 0x600
_FIRST_ENCAPSULATED = 0x3C
_MAX_VLAN, _MAX_DSCP = 4095, 63

U8 = Annotated[str, Number(8)]
U16 = Annotated[str, Number(16)]
U32 = Annotated[str, Number(32)]
Decimal16 = Annotated[str, Number(16, hexadecimal=False)]
EtherType = Annotated[str, Number(16, names=ETHERTYPES, least=_FIRST_ETHERTYPE)]
Encapsulated = Annotated[str, Number(16, names=ETHERTYPES, least=_FIRST_ENCAPSULATED)]
VlanId = Annotated[str, Number(16, most=_MAX_VLAN)]
Opcode = Annotated[str, Number(16, names=OPCODES, always_decimal=True)]
IpProtocol = Annotated[str, Number(8, names=PROTOCOLS)]
Dscp = Annotated[str, Number(8, most=_MAX_DSCP)]
MacAddress = Annotated[str, MatchMac()]
MacMask = Annotated[str, MatchMacMask()]
Ipv4 = Annotated[str, MatchIp(4)]
Ipv4Mask = Annotated[str, MatchIpMask(4)]
Ipv6 = Annotated[str, MatchIp(6)]
EitherIp = Annotated[str, MatchIp(0)]
Ipv6Mask = Annotated[str, MatchIpMask(6)]
States = Annotated[str, ConnectionStates()]
Flags = Annotated[str, TcpFlags()]
SetName = Annotated[str, IpsetName()]
SetFlags = Annotated[str, IpsetFlags()]
CommentText = Annotated[str, Comment()]
Boolean = Annotated[str, Truth()]

__all__ = [
    "PROTOCOLS", "U8", "U16", "U32", "Boolean", "CommentText", "Decimal16", "Dscp", "EitherIp", "Encapsulated",
    "EtherType", "Flags", "IpProtocol", "Ipv4", "Ipv4Mask", "Ipv6", "Ipv6Mask", "MacAddress", "MacMask", "MatchValue",
    "Opcode", "SetFlags", "SetName", "States", "VlanId", "variable",
]  # fmt: skip
