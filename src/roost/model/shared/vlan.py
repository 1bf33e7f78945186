"""VLAN tags: <vlan>."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec.structs import replace

from roost.errors import From, XmlError
from roost.xml import Record, UInt, at

MAX_TAG = 4095


class VlanTag(Record):
    """native_mode: what packets without a tag are taken for."""

    id: UInt
    native_mode: Annotated[Literal["tagged", "untagged"] | None, at("@nativeMode")] = None


class Vlan(Record):
    """trunk: `yes`, as it is always written for several tags; text, because libvirt has its own words for the rest."""

    trunk: str | None = None
    tags: Annotated[tuple[VlanTag, ...], at("tag")] = ()


def check_vlan(vlan: Vlan | None) -> None:
    """Raises for what libvirt refuses."""
    if vlan is None:
        return
    if not vlan.tags:
        raise _error("missing tag id - each <vlan> must have at least one <tag id='n'/> subelement")
    native = [tag for tag in vlan.tags if tag.native_mode is not None]
    for number, tag in enumerate(vlan.tags):
        if tag.id > MAX_TAG:
            raise _error(f"vlan tag id {tag.id} too large (maximum {MAX_TAG})")
        if len(native) > 1 and vlan.tags[number] is native[1]:
            raise _error("duplicate native vlan setting")
    if vlan.trunk is None or vlan.trunk.lower() == "yes":
        return
    if len(vlan.tags) > 1:
        raise _error(f"invalid \"trunk='{vlan.trunk}'\" in <vlan> - trunk='yes' is required for more than one vlan tag")
    if native:
        raise _error("invalid configuration in <vlan> - \"trunk='no'\" is not allowed with a native vlan id")
    if vlan.trunk.lower() != "no":
        raise _error(f"invalid \"trunk='{vlan.trunk}'\" in <vlan> - must be yes or no")


def complete_vlan(vlan: Vlan | None) -> Vlan | None:
    """As libvirt keeps it: several tags are a trunk, and every tag of the native number is shown as native."""
    if vlan is None:
        return None
    native = next((tag for tag in vlan.tags if tag.native_mode is not None), None)
    tags = vlan.tags
    if native is not None:
        tags = tuple(native if tag.id == native.id else tag for tag in tags)
    trunk = len(tags) > 1 or (vlan.trunk or "").lower() == "yes"
    return replace(vlan, trunk="yes" if trunk else None, tags=tags)


def _error(text: str) -> XmlError:
    return XmlError(text, domain=From.NONE)


__all__ = ["MAX_TAG", "Vlan", "VlanTag", "check_vlan", "complete_vlan"]
