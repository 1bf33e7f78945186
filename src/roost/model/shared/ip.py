"""Addresses of the internet protocol: their spelling, and the arithmetic of networks."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Annotated, Any, Literal

from roost.xml import Value

Family = Literal["ipv4", "ipv6"]
Address = IPv4Address | IPv6Address

_PART = r"(?:0[xX][0-9a-fA-F]+|[0-9]+)"
_SHORT = re.compile(rf"{_PART}(?:\.{_PART}){{0,3}}\Z")
_MAPPED = 0xFFFF


def parse_ip(text: str) -> Address:
    """The address of a numeric text, in every form C's library reads. ValueError for other texts."""
    if ":" in text:
        try:
            return IPv6Address(text)
        except AddressValueError:
            raise ValueError(text) from None
    if _SHORT.match(text) is None:
        raise ValueError(text)
    # inet_aton: fewer than four numbers, the last of which fills what is left; octal and hexadecimal too.
    parts = [_c_number(part) for part in text.split(".")]
    *leading, last = parts
    if any(part > 0xFF for part in leading) or last >= 1 << 8 * (5 - len(parts)):
        raise ValueError(text)
    number = last
    for place, part in enumerate(leading):
        number |= part << 8 * (3 - place)
    return IPv4Address(number)


def parse_ip_of(text: str, version: int | None) -> Address:
    """The same for an address of one version, 4 or 6, unless that is None."""
    address = parse_ip(text)
    if version == 4 and isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    if version not in (None, address.version):
        raise ValueError(text)
    return address


def _c_number(text: str) -> int:
    if text[:2].lower() == "0x":
        return int(text, 16)
    return int(text, 8 if text[0] == "0" and len(text) > 1 else 10)


def format_ip(address: Address) -> str:
    """The address as C's library spells it."""
    if isinstance(address, IPv4Address):
        return str(address)
    number = int(address)
    # Addresses that hold one of the older protocol keep its dots.
    if number >> 32 == _MAPPED:
        text = f"::ffff:{IPv4Address(number & 0xFFFFFFFF)}"
    elif number >> 32 == 0 and number > _MAPPED:
        text = f"::{IPv4Address(number)}"
    else:
        text = IPv6Address(number).compressed
    return f"{text}%{address.scope_id}" if address.scope_id else text


class IpText(Value):
    """An address of either version, or of one only, in its usual spelling."""

    formatted = "{v}"

    def __init__(self, version: int | None = None) -> None:
        self.version = version
        examples = {4: "192.168.100.1", 6: "fd00::1"}
        example = examples[version] if version else "192.168.100.1 or fd00::1"
        self.expected = f"an IP address such as {example}"

    def parse(self, text: str) -> str:
        return format_ip(parse_ip_of(text, self.version))

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": f"ipv{self.version}"} if self.version else {"type": "string"}


Ip = Annotated[str, IpText()]
Ipv4 = Annotated[str, IpText(4)]
Ipv6 = Annotated[str, IpText(6)]


def version_of(text: str) -> int:
    """4 or 6, of an address that was parsed."""
    return 6 if ":" in text else 4


def bits_of(version: int) -> int:
    """How long an address is."""
    return 32 if version == 4 else 128


def netmask_bits(netmask: str) -> int:
    """The prefix that a netmask stands for, -1 when its ones are not all in front."""
    version = version_of(netmask)
    number, bits = int(parse_ip(netmask)), bits_of(version)
    ones = number.bit_count()
    return ones if number == ((1 << ones) - 1) << (bits - ones) else -1


def natural_prefix(address: str) -> int:
    """The prefix of a network that gives neither netmask nor prefix: by class, or 64."""
    number = int(parse_ip(address))
    if number == 0:
        return 0
    if version_of(address) != 4:
        return 64
    first = number >> 24
    for limit, prefix in ((0x80, 8), (0xC0, 16), (0xE0, 24)):
        if first < limit:
            return prefix
    return -1


def prefix_of(address: str, netmask: str | None, prefix: int | None) -> int:
    """The length of the network part of an address, by whichever of the three says so; -1 when none does."""
    if prefix:
        return prefix
    return netmask_bits(netmask) if netmask else natural_prefix(address)


def masked(address: str, prefix: int) -> int:
    """The number of the network that an address is in."""
    bits = bits_of(version_of(address))
    return int(parse_ip(address)) >> (bits - prefix) << (bits - prefix)


__all__ = [
    "Address", "Family", "Ip", "IpText", "Ipv4", "Ipv6", "bits_of", "format_ip", "masked", "natural_prefix",
    "netmask_bits", "parse_ip", "parse_ip_of", "prefix_of", "version_of",
]  # fmt: skip
