"""The small devices: <input>, <watchdog>, <memballoon>, <rng>, <panic>, <vsock>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import ConfigUnsupported, InternalError, XmlError
from roost.model.domain.device import Device, VirtioOptions
from roost.model.domain.devices.chardev import AnyCharSource
from roost.xml import Complaint, Int, OnOff, Positive, Record, Text, UInt, YesNo, at, inline

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
    bus: Annotated[
        Literal["ps2", "usb", "xen", "parallels", "virtio", "none"] | None,
        at("@bus", wrong=Complaint(ConfigUnsupported, "unknown input bus type '%s'")),
    ] = None
    model: VirtioModel | None = None
    driver: VirtioOptions | None = None
    source: InputSource | None = None


class Watchdog(Device):
    """action: what happens when the guest does not reset it in time. itco is part of q35, i6300esb a PCI device."""

    model: Annotated[
        Literal["i6300esb", "ib700", "diag288", "itco"],
        at(
            "@model",
            wrong=Complaint(ConfigUnsupported, "unknown watchdog model '%s'"),
            missing=Complaint(InternalError, "watchdog must contain model name"),
        ),
    ]
    action: Annotated[
        Literal["reset", "shutdown", "poweroff", "pause", "dump", "none", "inject-nmi"],
        at("@action", wrong=Complaint(ConfigUnsupported, "unknown watchdog action '%s'")),
    ] = "reset"


class MemBalloon(Device):
    """model 'none' switches the default balloon off; stats_period in seconds."""

    model: Literal["virtio", "xen", "none", "virtio-transitional", "virtio-non-transitional"]
    autodeflate: OnOff | None = None
    free_page_reporting: Annotated[OnOff | None, at("@freePageReporting")] = None
    stats_period: Annotated[Int | None, at("stats/@period", unset=("0",))] = None
    driver: Annotated[VirtioOptions | None, at("driver", order=9)] = None


class RngRate(Record):
    """bytes in each period of milliseconds."""

    bytes: Annotated[
        UInt | None, at("@bytes", unset=("0",), wrong=Complaint(XmlError, "invalid RNG rate bytes value"))
    ] = None
    period: Annotated[
        UInt | None, at("@period", unset=("0",), wrong=Complaint(XmlError, "invalid RNG rate period value"))
    ] = None


class RngBackend(Record, tag_field="model"):
    """Where randomness comes from; `AnyRngBackend` is the union."""


class RandomBackend(RngBackend, tag="random"):
    path: Text[str | None] = None


class EgdBackend(RngBackend, tag="egd"):
    source: Annotated[
        AnyCharSource,
        inline(
            wrong=Complaint(ConfigUnsupported, "unknown backend type '%s' for egd"),
            missing=Complaint(XmlError, "missing EGD backend type"),
        ),
    ]


class BuiltinBackend(RngBackend, tag="builtin"):
    pass


AnyRngBackend = RandomBackend | EgdBackend | BuiltinBackend


_ONE_BACKEND = Complaint(XmlError, "only one RNG backend is supported")


class Rng(Device):
    """rate: how much the guest may take; all it asks for when not given."""

    model: Annotated[
        VirtioModel,
        at(
            "@model",
            wrong=Complaint(ConfigUnsupported, "unknown RNG model '%s'"),
            missing=Complaint(XmlError, "missing RNG device model"),
        ),
    ]
    rate: RngRate | None = None
    backend: Annotated[
        AnyRngBackend,
        at(
            "backend",
            wrong=Complaint(ConfigUnsupported, "unknown RNG backend model '%s'"),
            missing=_ONE_BACKEND,
            once=_ONE_BACKEND,
        ),
    ]
    driver: VirtioOptions | None = None


class Panic(Device):
    """model: isa is QEMU's device pvpanic, pvpanic the same as a PCI device; the others belong to their machines."""

    model: Annotated[
        Literal["isa", "pseries", "hyperv", "s390", "pvpanic"] | None,
        at("@model", unset=("default",), wrong=Complaint(ConfigUnsupported, "unknown panic model '%s'")),
    ] = None


class Vsock(Device):
    model: Annotated[VirtioModel | None, at("@model", unset=("default",))] = None
    cid_auto: Annotated[YesNo | None, at("cid/@auto")] = None
    cid: Annotated[Positive | None, at("cid/@address")] = None
    driver: Annotated[VirtioOptions | None, at("driver", order=9)] = None


class Hub(Device):
    type: Annotated[Literal["usb"], at("@type", wrong=Complaint(ConfigUnsupported, "unknown hub device type '%s'"))]


__all__ = [
    "AnyRngBackend", "BuiltinBackend", "EgdBackend", "Hub", "Input", "InputSource",
    "MemBalloon", "Panic", "RandomBackend", "Rng", "RngBackend", "RngRate", "VirtioModel",
    "Vsock", "Watchdog",
]  # fmt: skip
