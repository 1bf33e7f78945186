"""What a switch is told of a port: <virtualport>."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec.structs import replace

from roost.errors import ConfigUnsupported, From, XmlError
from roost.xml import Complaint, Integer, Record, Uuid, at

VirtualPortType = Literal["802.1Qbg", "802.1Qbh", "openvswitch", "midonet"]
#: Bytes; one fewer than the field that the switch's protocol has for it.
_PROFILE_LENGTH = 39


def _wrong(text: str) -> Complaint:
    return Complaint(XmlError, text, domain=From.NONE)


#: Read as C reads numbers, 0x.. and 0.. too; their bounds have messages of their own.
_CNumber = Annotated[int, Integer(0, 2**32 - 1, base=0)]


class VirtualPortParameters(Record):
    """What the switch knows the port by; which of these, its type says."""

    managerid: Annotated[
        _CNumber | None, at("@managerid", wrong=_wrong("cannot parse value of managerid parameter"))
    ] = None
    typeid: Annotated[_CNumber | None, at("@typeid", wrong=_wrong("cannot parse value of typeid parameter"))] = None
    typeidversion: Annotated[
        _CNumber | None, at("@typeidversion", wrong=_wrong("cannot parse value of typeidversion parameter"))
    ] = None  # fmt: skip
    instanceid: Annotated[
        Uuid | None, at("@instanceid", wrong=_wrong("cannot parse instanceid parameter as a uuid"))
    ] = None  # fmt: skip
    interfaceid: Annotated[
        Uuid | None, at("@interfaceid", wrong=_wrong("cannot parse interfaceid parameter as a uuid"))
    ] = None  # fmt: skip
    profileid: str | None = None


class VirtualPort(Record):
    """A port of a switch that wants to know who is plugged in."""

    type: Annotated[
        VirtualPortType | None,
        at("@type", wrong=Complaint(ConfigUnsupported, "unknown virtualport type %s", domain=From.NONE)),
    ] = None  # fmt: skip
    parameters: VirtualPortParameters | None = None


_ALL = tuple(VirtualPortParameters.__struct_fields__)
#: The parameters each type has; without a type, any.
_HAS: dict[str | None, tuple[str, ...]] = {
    None: _ALL,
    "802.1Qbg": ("managerid", "typeid", "typeidversion", "instanceid"),
    "802.1Qbh": ("profileid",),
    "openvswitch": ("interfaceid", "profileid"),
    "midonet": ("interfaceid",),
}
_LIMITS = (
    ("managerid", 0xFF, "value of managerid out of range"),
    ("typeid", 0xFFFFFF, "value for typeid out of range"),
    ("typeidversion", 0xFF, "value of typeidversion out of range"),
)


def check_virtualport(port: VirtualPort | None, *, needs_type: bool = False) -> None:
    """Raises for what libvirt refuses. needs_type: the port has to say what it is."""
    if port is None:
        return
    if port.type is None and needs_type:
        raise XmlError("missing required virtualport type", domain=From.NONE)
    parameters = port.parameters
    if parameters is None:
        return
    for field, limit, text in _LIMITS:
        if (getattr(parameters, field) or 0) > limit:
            raise XmlError(text, domain=From.NONE, hint=f"{field} is at most {limit}")
    if len((parameters.profileid or "").encode()) > _PROFILE_LENGTH:
        raise XmlError("profileid parameter too long", domain=From.NONE, hint=f"at most {_PROFILE_LENGTH} bytes")
    extra = [field for field in _ALL if getattr(parameters, field) not in (None, "") and field not in _HAS[port.type]]
    # What is too much for a midonet port is taken, and forgotten.
    if extra and port.type != "midonet":
        raise XmlError(
            f"extra {extra[0]} unsupported in <virtualport type='{port.type}'>",
            domain=From.NET,
            hint=f"it has {', '.join(_HAS[port.type])}",
        )


def complete_virtualport(port: VirtualPort | None) -> VirtualPort | None:
    """As libvirt keeps it: without a type and parameters it says nothing."""
    if port is None:
        return None
    kept = {field: getattr(port.parameters, field, None) for field in _HAS[port.type]}
    # An empty profile is none, but the number 0 is one.
    parameters = VirtualPortParameters(**{field: None if value == "" else value for field, value in kept.items()})
    if port.type is None and parameters == VirtualPortParameters():
        return None
    return replace(port, parameters=None if parameters == VirtualPortParameters() else parameters)


__all__ = ["VirtualPort", "VirtualPortParameters", "VirtualPortType", "check_virtualport", "complete_virtualport"]
