"""Character devices: <serial>, <parallel>, <console>, <channel>, and what stands behind them on the host."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import ConfigUnsupported, InternalError, XmlError
from roost.model.domain.device import Device, Reconnect, SourceSeclabel
from roost.xml import Complaint, OnOff, Record, UInt, YesNo, at, inline, tag_of

SocketMode = Literal["bind", "connect"]


class CharSource(Record, tag_field="type"):
    """The host's end of a character device; `AnyCharSource` is the union of its members."""

    log_file: Annotated[str | None, at("log/@file", order=2)] = None
    log_append: Annotated[OnOff | None, at("log/@append", order=2)] = None


NO_PATH = Complaint(InternalError, "Missing source path attribute for char device")


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
    path: Annotated[str, at("source/@path", missing=NO_PATH)]
    seclabels: Annotated[tuple[SourceSeclabel, ...], at("source/seclabel")] = ()


class PipeChar(CharSource, tag="pipe"):
    path: Annotated[str, at("source/@path", missing=NO_PATH)]
    seclabels: Annotated[tuple[SourceSeclabel, ...], at("source/seclabel")] = ()


class FileChar(CharSource, tag="file"):
    path: Annotated[str, at("source/@path", missing=NO_PATH)]
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
    protocol: Annotated[
        Literal["raw", "telnet", "telnets", "tls"],
        at("protocol/@type", wrong=Complaint(ConfigUnsupported, "Unknown protocol '%s'")),
    ] = "raw"


class UdpEnd(Record):
    mode: SocketMode = "connect"
    host: str | None = None
    service: str | None = None


class UdpChar(CharSource, tag="udp"):
    """UDP in two directions: an end that binds (receives) and one that connects (sends)."""

    ends: Annotated[tuple[UdpEnd, ...], at("source")] = ()


class SpiceportChar(CharSource, tag="spiceport"):
    """A channel of the SPICE display, by a name of the user's choice."""

    channel: Annotated[str | None, at("source/@channel")] = None


class DbusChar(CharSource, tag="dbus"):
    """A channel of the D-Bus display."""

    channel: Annotated[str | None, at("source/@channel")] = None


class NmdmChar(CharSource, tag="nmdm"):
    """The two ends of a null modem; of other hypervisors."""

    master: Annotated[str | None, at("source/@master")] = None
    slave: Annotated[str | None, at("source/@slave")] = None


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

_UNKNOWN_TARGET = Complaint(ConfigUnsupported, "unknown target type '%s' specified for character device")
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
    type: Annotated[SerialTargetType | None, at("@type", wrong=_UNKNOWN_TARGET)] = None
    port: UInt | None = None
    model: Annotated[SerialTargetModel | None, at("model/@name")] = None


class Serial(CharDevice):
    target: SerialTarget | None = None


class ParallelTarget(Record):
    port: UInt | None = None


class Parallel(CharDevice):
    target: ParallelTarget | None = None


class ConsoleTarget(Record):
    type: Annotated[ConsoleTargetType | None, at("@type", wrong=_UNKNOWN_TARGET)] = None
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
    address: Annotated[
        str, at("@address", missing=Complaint(XmlError, "guestfwd channel does not define a target address"))
    ]  # fmt: skip
    port: UInt


class XenChannel(ChannelTarget, tag="xen"):
    name: str | None = None
    state: Annotated[Literal["connected", "disconnected"] | None, at("@state", live=True)] = None


AnyChannelTarget = VirtioChannel | GuestfwdChannel | XenChannel


class Channel(CharDevice):
    target: Annotated[
        AnyChannelTarget,
        at(
            "target",
            wrong=_UNKNOWN_TARGET,
            missing=Complaint(XmlError, "target type must be specified for channel device"),
        ),
    ]


__all__ = [
    "AnyChannelTarget", "AnyCharSource", "Channel", "ChannelTarget", "CharDevice", "CharSource", "Console",
    "ConsoleTarget", "DbusChar", "DevChar", "FileChar", "GuestfwdChannel", "NmdmChar", "NullChar", "Parallel",
    "ParallelTarget", "PipeChar", "PtyChar", "Serial", "SerialTarget", "SpiceportChar", "SpicevmcChar", "StdioChar",
    "TcpChar", "UdpChar", "UdpEnd", "UnixChar", "VcChar", "VdagentChar", "VirtioChannel", "XenChannel",
]  # fmt: skip
