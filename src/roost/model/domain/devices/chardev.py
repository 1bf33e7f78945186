"""Character devices: <serial>, <parallel>, <console>, <channel>, and what stands behind them on the host."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import ConfigUnsupported, XmlError
from roost.model.domain.device import Device, Reconnect, SourceSeclabel
from roost.xml import Complaint, OnOff, Record, UInt, YesNo, at, inline, tag_of

SocketMode = Literal["bind", "connect"]


class CharSource(Record, tag_field="type"):
    """The host's end of a character device; `AnyCharSource` is the union of its members."""

    log_file: Annotated[str | None, at("log/@file", order=2)] = None
    log_append: Annotated[OnOff | None, at("log/@append", order=2)] = None


class NullChar(CharSource, tag="null"):
    pass


class VcChar(CharSource, tag="vc"):
    pass


class StdioChar(CharSource, tag="stdio"):
    pass


class SpicevmcChar(CharSource, tag="spicevmc"):
    pass


class PtyChar(CharSource, tag="pty"):
    """A pseudo terminal; `path` is known while the guest runs."""

    path: Annotated[str | None, at("source/@path", live=True)] = None
    seclabels: Annotated[tuple[SourceSeclabel, ...], at("source/seclabel", live=True)] = ()


class DevChar(CharSource, tag="dev"):
    path: Annotated[str, at("source/@path")]
    seclabels: Annotated[tuple[SourceSeclabel, ...], at("source/seclabel")] = ()


class PipeChar(CharSource, tag="pipe"):
    path: Annotated[str, at("source/@path")]
    seclabels: Annotated[tuple[SourceSeclabel, ...], at("source/seclabel")] = ()


class FileChar(CharSource, tag="file"):
    path: Annotated[str, at("source/@path")]
    append: Annotated[OnOff | None, at("source/@append")] = None
    seclabels: Annotated[tuple[SourceSeclabel, ...], at("source/seclabel")] = ()


class UnixChar(CharSource, tag="unix"):
    """A unix socket; without a path the driver picks one (channels)."""

    mode: Annotated[SocketMode | None, at("source/@mode")] = None
    path: Annotated[str | None, at("source/@path")] = None
    seclabels: Annotated[tuple[SourceSeclabel, ...], at("source/seclabel")] = ()
    reconnect: Annotated[Reconnect | None, at("source/reconnect")] = None


class TcpChar(CharSource, tag="tcp"):
    mode: Annotated[SocketMode, at("source/@mode")] = "connect"
    host: Annotated[str | None, at("source/@host")] = None
    service: Annotated[str | None, at("source/@service")] = None
    tls: Annotated[YesNo | None, at("source/@tls")] = None
    reconnect: Annotated[Reconnect | None, at("source/reconnect")] = None
    protocol: Annotated[Literal["raw", "telnet", "telnets", "tls"], at("protocol/@type")] = "raw"


class UdpEnd(Record):
    mode: SocketMode = "connect"
    host: str | None = None
    service: str | None = None


class UdpChar(CharSource, tag="udp"):
    """UDP in two directions: an end that binds (receives) and one that connects (sends)."""

    ends: Annotated[tuple[UdpEnd, ...], at("source")] = ()


class SpiceportChar(CharSource, tag="spiceport"):
    channel: Annotated[str, at("source/@channel")]


class DbusChar(CharSource, tag="dbus"):
    channel: Annotated[str, at("source/@channel")]


class NmdmChar(CharSource, tag="nmdm"):
    master: Annotated[str, at("source/@master")]
    slave: Annotated[str, at("source/@slave")]


class VdagentChar(CharSource, tag="qemu-vdagent"):
    clipboard: Annotated[YesNo | None, at("source/clipboard/@copypaste")] = None
    mouse: Annotated[Literal["server", "client"] | None, at("source/mouse/@mode")] = None


AnyCharSource = (
    NullChar
    | VcChar
    | StdioChar
    | SpicevmcChar
    | PtyChar
    | DevChar
    | PipeChar
    | FileChar
    | UnixChar
    | TcpChar
    | UdpChar
    | SpiceportChar
    | DbusChar
    | NmdmChar
    | VdagentChar
)

UNKNOWN_CHAR = Complaint(ConfigUnsupported, "unknown type presented to host for character device: %s")

SerialTargetType = Literal[
    "isa-serial", "usb-serial", "pci-serial", "spapr-vio-serial", "system-serial", "sclp-serial", "isa-debug"
]
SerialTargetModel = Literal[
    "isa-serial", "usb-serial", "pci-serial", "spapr-vty", "pl011", "sclpconsole", "sclplmconsole", "16550a",
    "isa-debugcon",
]  # fmt: skip
ConsoleTargetType = Literal["serial", "xen", "uml", "virtio", "lxc", "openvz", "sclp", "sclplm"]


class CharDevice(Device):
    """Base of the four kinds: where the host's end is, inline."""

    source: Annotated[AnyCharSource, inline("pty", wrong=UNKNOWN_CHAR)] = PtyChar()

    @property
    def type(self) -> str:
        """The kind of host end: pty, unix, file, tcp, ..."""
        return tag_of(self.source)


class SerialTarget(Record):
    type: SerialTargetType | None = None
    port: UInt | None = None
    model: Annotated[SerialTargetModel | None, at("model/@name")] = None


class Serial(CharDevice):
    target: SerialTarget | None = None


class ParallelTarget(Record):
    port: UInt | None = None


class Parallel(CharDevice):
    target: ParallelTarget | None = None


class ConsoleTarget(Record):
    type: ConsoleTargetType | None = None
    port: UInt | None = None


class Console(CharDevice):
    tty: Annotated[str | None, at("@tty", live=True)] = None
    target: ConsoleTarget | None = None


class ChannelTarget(Record, tag_field="type"):
    """Where a channel shows up in the guest; `AnyChannelTarget` is the union."""


class VirtioChannel(ChannelTarget, tag="virtio"):
    name: str | None = None
    state: Annotated[Literal["connected", "disconnected"] | None, at("@state", live=True)] = None


class GuestfwdChannel(ChannelTarget, tag="guestfwd"):
    address: str
    port: UInt


class XenChannel(ChannelTarget, tag="xen"):
    name: str | None = None
    state: Annotated[Literal["connected", "disconnected"] | None, at("@state", live=True)] = None


AnyChannelTarget = VirtioChannel | GuestfwdChannel | XenChannel


class Channel(CharDevice):
    target: Annotated[
        AnyChannelTarget,
        at("target", missing=Complaint(XmlError, "target type must be specified for channel device")),
    ]


__all__ = [
    "AnyChannelTarget", "AnyCharSource", "Channel", "ChannelTarget", "CharDevice", "CharSource", "Console",
    "ConsoleTarget", "DbusChar", "DevChar", "FileChar", "GuestfwdChannel", "NmdmChar", "NullChar", "Parallel",
    "ParallelTarget", "PipeChar", "PtyChar", "Serial", "SerialTarget", "SpiceportChar", "SpicevmcChar", "StdioChar",
    "TcpChar", "UdpChar", "UdpEnd", "UnixChar", "VcChar", "VdagentChar", "VirtioChannel", "XenChannel",
]  # fmt: skip
