"""What a document says to QEMU past all abstraction: the elements of the namespace `qemu:`."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import From, InternalError, XmlError
from roost.xml import Complaint, Record, at


def _nothing(text: str) -> Complaint:
    return Complaint(InternalError, text, domain=From.QEMU)


class QemuArg(Record):
    value: Annotated[str, at("@value", missing=_nothing("No qemu command-line argument specified"))]


class QemuEnv(Record):
    """A variable of QEMU's environment. name: letters, digits and underscores."""

    name: Annotated[str, at("@name", missing=_nothing("No qemu environment name specified"))]
    value: str | None = None


class QemuCommandline(Record):
    """Arguments and environment handed to QEMU as they are: <qemu:commandline>."""

    args: Annotated[tuple[QemuArg, ...], at("qemu:arg")] = ()
    env: Annotated[tuple[QemuEnv, ...], at("qemu:env")] = ()


class QemuCapability(Record):
    capability: Annotated[str, at("@capability", missing=_nothing("missing capability name"))]


class QemuCapabilities(Record):
    """Capabilities of QEMU that are taken to be there, or not: <qemu:capabilities>, for experiments."""

    add: Annotated[tuple[QemuCapability, ...], at("qemu:add")] = ()
    delete: Annotated[tuple[QemuCapability, ...], at("qemu:del")] = ()


class QemuProperty(Record):
    """One property of a device. value: of a number or truth, as text; none with type 'remove'."""

    name: Annotated[
        str, at("@name", missing=Complaint(XmlError, "missing 'name' attribute for qemu:property", domain=From.QEMU))
    ]
    type: Annotated[
        Literal["string", "signed", "unsigned", "bool", "remove"],
        at(
            "@type",
            wrong=Complaint(
                XmlError, "Invalid value for attribute 'type' in element 'property': '%s'.", domain=From.XML
            ),
            missing=Complaint(XmlError, "Missing required attribute 'type' in element 'property'", domain=From.XML),
        ),
    ]
    value: str | None = None


class QemuDeviceOverride(Record):
    """The properties of one device's frontend that are set, replaced or taken away. alias: the device's."""

    alias: Annotated[
        str, at("@alias", missing=Complaint(XmlError, "missing 'alias' attribute for qemu:device", domain=From.QEMU))
    ]
    properties: Annotated[tuple[QemuProperty, ...], at("qemu:frontend/qemu:property")] = ()


class QemuOverride(Record):
    devices: Annotated[tuple[QemuDeviceOverride, ...], at("qemu:device")] = ()


class QemuDeprecation(Record):
    """What QEMU does about deprecated input of its monitor."""

    behavior: str | None = None


__all__ = [
    "QemuArg", "QemuCapabilities", "QemuCapability", "QemuCommandline", "QemuDeprecation", "QemuDeviceOverride",
    "QemuEnv", "QemuOverride", "QemuProperty",
]  # fmt: skip
