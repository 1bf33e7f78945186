"""The small devices: <input>, <sound>, <audio>, <watchdog>, <memballoon>, <rng>, <panic>, <vsock>, <iommu>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import ConfigUnsupported
from roost.model.domain.device import Device, VirtioOptions
from roost.model.domain.devices.chardev import AnyCharSource
from roost.xml import Complaint, Int, OnOff, Record, Text, UInt, YesNo, at, inline

VirtioModel = Literal["virtio", "virtio-transitional", "virtio-non-transitional"]


class InputSource(Record):
    dev: str | None = None
    evdev: str | None = None
    grab: Literal["all"] | None = None
    grab_toggle: Annotated[
        Literal["ctrl-ctrl", "alt-alt", "shift-shift", "meta-meta", "scrolllock", "ctrl-scrolllock"] | None,
        at("@grabToggle"),
    ] = None
    repeat: OnOff | None = None


class Input(Device):
    type: Annotated[
        Literal["mouse", "tablet", "keyboard", "passthrough", "evdev"],
        at("@type", wrong=Complaint(ConfigUnsupported, "unknown input device type '%s'")),
    ]
    bus: Literal["ps2", "usb", "xen", "parallels", "virtio", "none"] | None = None
    model: VirtioModel | None = None
    driver: VirtioOptions | None = None
    source: InputSource | None = None


class SoundCodec(Record):
    type: Literal["duplex", "micro", "output"]


class Sound(Device):
    model: Literal["sb16", "es1370", "pcspk", "ac97", "ich6", "ich9", "usb", "ich7"]
    codecs: Annotated[tuple[SoundCodec, ...], at("codec")] = ()
    audio_id: Annotated[UInt | None, at("audio/@id")] = None


class Audio(Record):
    """A host audio backend, referred to by number."""

    id: UInt
    type: Literal["none", "alsa", "coreaudio", "jack", "oss", "pulseaudio", "sdl", "spice", "file", "dbus"]
    timer_period: Annotated[UInt | None, at("@timerPeriod", unset=("0",))] = None
    server_name: Annotated[str | None, at("@serverName")] = None
    driver: str | None = None
    path: str | None = None


class Watchdog(Device):
    model: Literal["i6300esb", "ib700", "diag288"]
    action: Literal["reset", "shutdown", "poweroff", "pause", "dump", "none", "inject-nmi"] = "reset"


class MemBalloon(Device):
    """model 'none' switches the default balloon off; stats_period in seconds."""

    model: Literal["virtio", "xen", "none", "virtio-transitional", "virtio-non-transitional"]
    autodeflate: OnOff | None = None
    free_page_reporting: Annotated[OnOff | None, at("@freePageReporting")] = None
    stats_period: Annotated[Int | None, at("stats/@period", unset=("0",))] = None
    driver: Annotated[VirtioOptions | None, at("driver", order=9)] = None


class RngRate(Record):
    bytes: UInt
    period: Annotated[UInt | None, at("@period", unset=("0",))] = None


class RngBackend(Record, tag_field="model"):
    """Where randomness comes from; `AnyRngBackend` is the union."""


class RandomBackend(RngBackend, tag="random"):
    path: Text[str | None] = None


class EgdBackend(RngBackend, tag="egd"):
    source: Annotated[AnyCharSource, inline()]


class BuiltinBackend(RngBackend, tag="builtin"):
    pass


AnyRngBackend = RandomBackend | EgdBackend | BuiltinBackend


class Rng(Device):
    model: Annotated[VirtioModel, at("@model", wrong=Complaint(ConfigUnsupported, "unknown RNG model '%s'"))]
    rate: RngRate | None = None
    backend: Annotated[AnyRngBackend, at("backend")]
    driver: VirtioOptions | None = None


class Panic(Device):
    model: Literal["isa", "pseries", "hyperv", "s390"] | None = None


class Vsock(Device):
    model: Annotated[VirtioModel | None, at("@model", unset=("default",))] = None
    cid_auto: Annotated[YesNo | None, at("cid/@auto")] = None
    cid: Annotated[UInt | None, at("cid/@address")] = None
    driver: Annotated[VirtioOptions | None, at("driver", order=9)] = None


class IommuDriver(Record):
    intremap: OnOff | None = None
    caching_mode: OnOff | None = None
    eim: OnOff | None = None
    iotlb: OnOff | None = None
    aw_bits: UInt | None = None


class Iommu(Device):
    model: Literal["intel", "smmuv3", "virtio"]
    driver: IommuDriver | None = None


class Hub(Device):
    type: Literal["usb"]


__all__ = [
    "AnyRngBackend", "Audio", "BuiltinBackend", "EgdBackend", "Hub", "Input", "InputSource", "Iommu", "IommuDriver",
    "MemBalloon", "Panic", "RandomBackend", "Rng", "RngBackend", "RngRate", "Sound", "SoundCodec", "VirtioModel",
    "Vsock", "Watchdog",
]  # fmt: skip
