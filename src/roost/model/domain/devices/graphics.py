"""Displays and what draws on them: <graphics>, <video>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import ConfigUnsupported, InternalError
from roost.model.domain.device import Device, VirtioOptions
from roost.xml import Complaint, OnOff, Port, Positive, Record, UInt, YesNo, at, tag_of


class Listen(Record, tag_field="type"):
    """Where a display server listens; `AnyListen` is the union of its members."""


class AddressListen(Listen, tag="address"):
    address: str | None = None


class NetworkListen(Listen, tag="network"):
    address: Annotated[str | None, at("@address", live=True)] = None
    network: str | None = None


class SocketListen(Listen, tag="socket"):
    socket: str | None = None


class NoListen(Listen, tag="none"):
    pass


AnyListen = AddressListen | NetworkListen | SocketListen | NoListen


class Graphics(Record, tag_field="type"):
    """One display; `AnyGraphics` is the union of its members."""

    @property
    def type(self) -> str:
        """The kind of display: vnc, spice, sdl, egl-headless, dbus, rdp, desktop."""
        return tag_of(self)


class VncGraphics(Graphics, tag="vnc"):
    """VNC. `port` -1 or autoport: one is picked at start. `passwd` is written on request only."""

    socket: str | None = None
    port: Annotated[
        Port | None, at("@port", wrong=Complaint(InternalError, "cannot parse vnc port %s"))
    ] = None  # fmt: skip
    autoport: YesNo | None = None
    websocket: Port | None = None
    listen: str | None = None
    keymap: str | None = None
    share_policy: Annotated[
        Literal["allow-exclusive", "force-shared", "ignore"] | None, at("@sharePolicy", unset=("default",))
    ] = None  # fmt: skip
    power_control: Annotated[YesNo | None, at("@powerControl")] = None
    #: Whether the guest waits for the first viewer.
    wait: YesNo | None = None
    passwd: Annotated[str | None, at("@passwd", secret=True)] = None
    passwd_valid_to: Annotated[str | None, at("@passwdValidTo")] = None
    connected: Annotated[Literal["fail", "disconnect", "keep"] | None, at("@connected", unset=("default",))] = None
    listens: Annotated[tuple[AnyListen, ...], at("listen")] = ()
    audio_id: Annotated[Positive | None, at("audio/@id")] = None


SpiceChannelName = Literal["main", "display", "inputs", "cursor", "playback", "record", "smartcard", "usbredir"]


class SpiceChannel(Record):
    name: SpiceChannelName
    mode: Literal["any", "secure", "insecure"]


class SpiceGraphics(Graphics, tag="spice"):
    port: Annotated[Port | None, at("@port", unset=("0",))] = None
    tls_port: Annotated[Port | None, at("@tlsPort", unset=("0",))] = None
    autoport: YesNo | None = None
    listen: str | None = None
    keymap: str | None = None
    default_mode: Annotated[Literal["secure", "insecure"] | None, at("@defaultMode", unset=("any",))] = None
    passwd: Annotated[str | None, at("@passwd", secret=True)] = None
    passwd_valid_to: Annotated[str | None, at("@passwdValidTo")] = None
    connected: Annotated[Literal["fail", "disconnect", "keep"] | None, at("@connected", unset=("default",))] = None
    listens: Annotated[tuple[AnyListen, ...], at("listen")] = ()
    channels: Annotated[tuple[SpiceChannel, ...], at("channel")] = ()
    image_compression: Annotated[
        Literal["auto_glz", "auto_lz", "quic", "glz", "lz", "off"] | None, at("image/@compression", needed=True)
    ] = None  # fmt: skip
    jpeg_compression: Annotated[Literal["auto", "never", "always"] | None, at("jpeg/@compression", needed=True)] = None
    zlib_compression: Annotated[Literal["auto", "never", "always"] | None, at("zlib/@compression", needed=True)] = None
    playback_compression: Annotated[OnOff | None, at("playback/@compression", needed=True)] = None
    streaming_mode: Annotated[Literal["filter", "all", "off"] | None, at("streaming/@mode", needed=True)] = None
    mouse_mode: Annotated[Literal["server", "client"] | None, at("mouse/@mode", needed=True)] = None
    clipboard: Annotated[YesNo | None, at("clipboard/@copypaste")] = None
    filetransfer: Annotated[YesNo | None, at("filetransfer/@enable")] = None
    gl: Annotated[YesNo | None, at("gl/@enable")] = None
    rendernode: Annotated[str | None, at("gl/@rendernode")] = None


class SdlGraphics(Graphics, tag="sdl"):
    display: str | None = None
    xauth: str | None = None
    fullscreen: YesNo | None = None
    gl: Annotated[YesNo | None, at("gl/@enable")] = None


class EglHeadlessGraphics(Graphics, tag="egl-headless"):
    rendernode: Annotated[str | None, at("gl/@rendernode")] = None


class DbusGraphics(Graphics, tag="dbus"):
    p2p: YesNo | None = None
    address: str | None = None
    gl: Annotated[YesNo | None, at("gl/@enable")] = None
    rendernode: Annotated[str | None, at("gl/@rendernode")] = None
    audio_id: Annotated[Positive | None, at("audio/@id")] = None


class RdpGraphics(Graphics, tag="rdp"):
    port: Port | None = None
    autoport: YesNo | None = None
    replace_user: Annotated[YesNo | None, at("@replaceUser")] = None
    multi_user: Annotated[YesNo | None, at("@multiUser")] = None
    username: str | None = None
    passwd: Annotated[str | None, at("@passwd", secret=True)] = None
    listen: str | None = None
    listens: Annotated[tuple[AnyListen, ...], at("listen")] = ()


class DesktopGraphics(Graphics, tag="desktop"):
    display: str | None = None
    fullscreen: YesNo | None = None


AnyGraphics = (
    VncGraphics | SpiceGraphics | SdlGraphics | EglHeadlessGraphics | DbusGraphics | RdpGraphics | DesktopGraphics
)

VideoType = Literal[
    "vga", "cirrus", "vmvga", "xen", "vbox", "qxl", "parallels", "virtio", "gop", "none", "bochs", "ramfb"
]


class Acceleration(Record):
    accel3d: YesNo | None = None
    accel2d: YesNo | None = None
    rendernode: str | None = None


class Resolution(Record):
    x: UInt
    y: UInt


class VideoModel(Record):
    """The graphics card: memory sizes in KiB."""

    type: Annotated[
        VideoType | None,
        at("@type", unset=("default",), wrong=Complaint(ConfigUnsupported, "unknown video model '%s'")),
    ] = None
    ram: Annotated[UInt | None, at("@ram", unset=("0",))] = None
    vram: Annotated[UInt | None, at("@vram", unset=("0",))] = None
    vram64: Annotated[UInt | None, at("@vram64", unset=("0",))] = None
    vgamem: Annotated[UInt | None, at("@vgamem", unset=("0",))] = None
    heads: Annotated[UInt | None, at("@heads", unset=("0",))] = None
    primary: Annotated[YesNo | None, at("@primary", unset=("no",))] = None
    blob: OnOff | None = None
    edid: OnOff | None = None
    acceleration: Annotated[Acceleration | None, at("acceleration", keep_empty=True)] = None
    resolution: Resolution | None = None


class VideoDriver(VirtioOptions):
    vgaconf: Annotated[Literal["io", "on", "off"] | None, at("@vgaconf", order=2)] = None
    name: Annotated[Literal["qemu", "vhostuser"] | None, at("@name", order=2)] = None


class Video(Device):
    driver: VideoDriver | None = None
    model: VideoModel | None = None


__all__ = [
    "Acceleration", "AddressListen", "AnyGraphics", "AnyListen", "DbusGraphics", "DesktopGraphics",
    "EglHeadlessGraphics", "Graphics", "Listen", "NetworkListen", "NoListen", "RdpGraphics", "Resolution",
    "SdlGraphics", "SocketListen", "SpiceChannel", "SpiceChannelName", "SpiceGraphics",
    "Video", "VideoDriver", "VideoModel", "VncGraphics",
]  # fmt: skip
