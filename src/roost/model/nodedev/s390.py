"""Devices of s390: channels, subchannels, groups of them, and cards for cryptography."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.model.nodedev.capability import Capability, SubCapability
from roost.model.nodedev.declare import NO_TYPE, BareHex, code
from roost.model.nodedev.mdev import MdevTypes
from roost.xml import Hex, Record, at


class ChannelAddress(Record):
    """Channel subsystem, subchannel set and number."""

    cssid: Annotated[int, Hex(1, 0xFFFFFFFF), code("cssid", "cssid")]
    ssid: Annotated[int, Hex(1, 0xFFFFFFFF), code("ssid", "ssid")]
    devno: Annotated[int, BareHex(4, 0xFFFFFFFF), code("devno", "devno")]


class GroupMember(SubCapability, tag="ccwgroup_member"):
    """The group that a channel device belongs to."""

    group_device: Annotated[str, at("group_device")]


class ChannelDevice(Capability):
    """What devices behind channels have in common."""

    cssid: Annotated[int, Hex(1, 0xFFFFFFFF), code("cssid", "cssid")]
    ssid: Annotated[int, Hex(1, 0xFFFFFFFF), code("ssid", "ssid")]
    devno: Annotated[int, BareHex(4, 0xFFFFFFFF), code("devno", "devno")]


class CcwCapability(ChannelDevice, tag="ccw"):
    """A device behind a channel."""

    capabilities: Annotated[tuple[GroupMember, ...], at("capability")] = ()


class CssCapability(ChannelDevice, tag="css"):
    """A subchannel. channel_device: what it leads to."""

    channel_device: Annotated[ChannelAddress | None, at("channel_dev_addr")] = None
    capabilities: Annotated[tuple[MdevTypes, ...], at("capability", missing=NO_TYPE)] = ()


class GroupDevice(Record):
    """A device of a group. ref: the part that it plays."""

    ref: str | None = None
    name: Annotated[str | None, at(".")] = None


class QethCard(SubCapability, tag="qeth_generic"):
    """A network adapter made of channels."""

    card_type: Annotated[str | None, at("card_type")] = None
    chpid: Annotated[str | None, at("chpid")] = None


class CcwGroupCapability(Capability, tag="ccwgroup"):
    """Several channel devices that act as one."""

    state: Annotated[Literal["online", "offline"] | None, at("state")] = None
    cssid: Annotated[int, Hex(1, 0xFFFFFFFF), code("cssid", "cssid")]
    ssid: Annotated[int, Hex(1, 0xFFFFFFFF), code("ssid", "ssid")]
    devno: Annotated[int, BareHex(4, 0xFFFFFFFF), code("devno", "devno")]
    members: Annotated[tuple[GroupDevice, ...], at("members/ccw_device")] = ()
    capabilities: Annotated[tuple[QethCard, ...], at("capability")] = ()


class ApCard(Capability, tag="ap_card"):
    """A card for cryptography."""

    adapter: Annotated[int, Hex(2, 0xFFFFFFFF), code("ap-adapter", "ap-adapter")]


class ApQueue(Capability, tag="ap_queue"):
    """One domain of a card."""

    adapter: Annotated[int, Hex(2, 0xFFFFFFFF), code("ap-adapter", "ap-adapter")]
    domain: Annotated[int, Hex(4, 0xFFFFFFFF), code("ap-domain", "ap-domain")]


class ApMatrix(Capability, tag="ap_matrix"):
    """All queues that guests may have."""

    capabilities: Annotated[tuple[MdevTypes, ...], at("capability", missing=NO_TYPE)] = ()


__all__ = [
    "ApCard", "ApMatrix", "ApQueue", "CcwCapability", "CcwGroupCapability", "ChannelAddress", "ChannelDevice",
    "CssCapability", "GroupDevice", "GroupMember", "QethCard",
]  # fmt: skip
