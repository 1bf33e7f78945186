"""The agent's answers as typed parameters, in libvirt's names and order. Dry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from roost.constants import network as N
from roost.contract.agent import InterfaceInfo, IpAddress
from roost.contract.typed_params import TypedParam, boolean, int_, string, uint, ullong
from roost.drivers.qemu.agent import answers as A
from roost.drivers.qemu.agent.disks import DiskPlaces
from roost.errors import From, InternalError

_TYPES = {"ipv4": N.IP_ADDR_TYPE_IPV4, "ipv6": N.IP_ADDR_TYPE_IPV6}
_TYPE_NAMES = {number: name for name, number in _TYPES.items()}

#: What is told of the operating system, in this order.
_OS = (
    "id", "name", "pretty-name", "version", "version-id", "machine", "variant", "variant-id", "kernel-release",
    "kernel-version",
)  # fmt: skip


def users(found: Sequence[A.User]) -> Iterator[TypedParam]:
    yield uint("user.count", len(found))
    for number, user in enumerate(found):
        yield string(f"user.{number}.name", user.user)
        yield from _given(f"user.{number}.domain", user.domain)
        yield ullong(f"user.{number}.login-time", int(user.login_time * 1000))


def operating_system(found: A.OsInfo) -> Iterator[TypedParam]:
    for name in _OS:
        yield from _given(f"os.{name}", getattr(found, name.replace("-", "_")))


def time_zone(found: A.TimeZone) -> Iterator[TypedParam]:
    yield from _given("timezone.name", found.zone)
    yield int_("timezone.offset", found.offset)


def file_systems(found: Sequence[A.FileSystem], places: DiskPlaces) -> Iterator[TypedParam]:
    """found: in the order of mounting."""
    yield uint("fs.count", len(found))
    for number, each in enumerate(found):
        prefix = f"fs.{number}"
        yield string(f"{prefix}.name", each.name)
        yield string(f"{prefix}.mountpoint", each.mountpoint)
        yield string(f"{prefix}.fstype", each.type)
        if each.total_bytes is not None:
            yield ullong(f"{prefix}.total-bytes", each.total_bytes)
        if each.used_bytes is not None:
            yield ullong(f"{prefix}.used-bytes", each.used_bytes)
        yield uint(f"{prefix}.disk.count", len(each.disk))
        for index, place in enumerate(each.disk):
            yield from _given(f"{prefix}.disk.{index}.alias", places.target_of(place))
            yield from _given(f"{prefix}.disk.{index}.serial", place.serial)
            yield from _given(f"{prefix}.disk.{index}.device", place.dev)


def disks(found: Sequence[A.GuestDisk], places: DiskPlaces) -> Iterator[TypedParam]:
    yield uint("disk.count", len(found))
    for number, disk in enumerate(found):
        prefix = f"disk.{number}"
        yield string(f"{prefix}.name", disk.name)
        yield boolean(f"{prefix}.partition", disk.partition)
        if disk.dependencies:
            yield uint(f"{prefix}.dependency.count", len(disk.dependencies))
        for index, name in enumerate(disk.dependencies):
            yield string(f"{prefix}.dependency.{index}.name", name)
        if disk.address is not None:
            yield from _given(f"{prefix}.serial", disk.address.serial)
            yield from _given(f"{prefix}.alias", places.target_of(disk.address))
        yield from _given(f"{prefix}.guest_alias", disk.alias)


def interface_params(found: Sequence[InterfaceInfo]) -> Iterator[TypedParam]:
    yield uint("if.count", len(found))
    for number, interface in enumerate(found):
        prefix = f"if.{number}"
        yield string(f"{prefix}.name", interface.name)
        yield from _given(f"{prefix}.hwaddr", interface.hwaddr)
        yield uint(f"{prefix}.addr.count", len(interface.addresses))
        for index, address in enumerate(interface.addresses):
            yield string(f"{prefix}.addr.{index}.type", _TYPE_NAMES[address.type])
            yield string(f"{prefix}.addr.{index}.addr", address.address)
            yield uint(f"{prefix}.addr.{index}.prefix", address.prefix)


def interfaces(found: Sequence[A.NetworkInterface]) -> list[InterfaceInfo]:
    """By name without what follows a colon: an alias has its addresses with the interface it is one of.

    Raises InternalError for an address of another family than IP.
    """
    hardware: dict[str, str | None] = {}
    addresses: dict[str, list[IpAddress]] = {}
    for interface in found:
        name = interface.name.partition(":")[0]
        hardware.setdefault(name, interface.hardware_address)
        known = addresses.setdefault(name, [])
        for address in interface.ip_addresses:
            if address.ip_address_type not in _TYPES:
                raise InternalError(f"unknown ip address type '{address.ip_address_type}'", domain=From.QEMU)
            known.append(IpAddress(_TYPES[address.ip_address_type], address.ip_address, address.prefix))
    return [InterfaceInfo(name, hwaddr, addresses[name]) for name, hwaddr in hardware.items()]


def _given(name: str, value: str | None) -> Iterator[TypedParam]:
    if value is not None:
        yield string(name, value)
