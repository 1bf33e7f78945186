"""USB devices that a client hands over, and which of them it may: <redirdev> and <redirfilter>."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from roost.errors import ConfigUnsupported, InternalError, XmlError
from roost.model.domain.device import BootableDevice
from roost.model.domain.devices.chardev import AnyCharSource
from roost.xml import Complaint, Integer, Record, Value, YesNo, at, inline, tag_of

_VERSION = re.compile(r"[0-9]{1,2}\.[0-9]{1,2}\Z")


class Redirdev(BootableDevice):
    bus: Annotated[Literal["usb"], at("@bus", wrong=Complaint(ConfigUnsupported, "unknown redirdev bus '%s'"))] = "usb"
    source: Annotated[
        AnyCharSource,
        inline(
            after="bus",
            wrong=Complaint(ConfigUnsupported, "unknown redirdev character device type '%s'"),
            missing=Complaint(InternalError, "missing type in redirdev"),
        ),
    ]

    @property
    def type(self) -> str:
        """The kind of host end: spicevmc, tcp, ..."""
        return tag_of(self.source)


class _UpperHex(Integer):
    """A number read as C reads it and written in capital hexadecimal digits."""

    def __init__(self, digits: int) -> None:
        super().__init__(0, 2**31 - 1, base=0)
        self.complaint = " Expected integer value"
        self.formatted = f"0x{{v:0{digits}X}}"
        self.table = {f"0x{n:0{digits}X}": n for n in range(256)}


class _UsbVersion(Value):
    """A version such as 2.0, of which the device says two digits before and two behind the dot."""

    formatted = "{v}"
    expected = "a version such as 1.10 or 2.00"

    def parse(self, text: str) -> str:
        if not _VERSION.match(text):
            raise ValueError(text)
        major, _, minor = text.partition(".")
        return f"{int(major)}.{minor:0<2}"


class RedirUsbDevice(Record):
    """A rule: a device that is all of what is given is allowed or not."""

    class_: Annotated[Annotated[int, _UpperHex(2)] | None, at("@class", unset=("-1",))] = None
    vendor: Annotated[Annotated[int, _UpperHex(4)] | None, at("@vendor", unset=("-1",))] = None
    product: Annotated[Annotated[int, _UpperHex(4)] | None, at("@product", unset=("-1",))] = None
    version: Annotated[
        Annotated[str, _UsbVersion()] | None,
        at("@version", unset=("-1",), wrong=Complaint(XmlError, "Cannot parse USB device version %s")),
    ] = None
    allow: YesNo


class RedirFilter(Record):
    """Rules, of which the first that fits counts."""

    rules: Annotated[tuple[RedirUsbDevice, ...], at("usbdev")] = ()


__all__ = ["RedirFilter", "RedirUsbDevice", "Redirdev"]
