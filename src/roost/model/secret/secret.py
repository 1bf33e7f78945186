"""The secret document's root: <secret>, and what secrets are for: <usage>."""

from __future__ import annotations

from typing import Annotated

from roost.errors import ConfigUnsupported, From, InternalError, XmlError
from roost.xml import Child, Complaint, Record, Uuid, YesNo, at


def _missing(what: str, part: str) -> Complaint:
    return Complaint(InternalError, f"{what} usage specified, but {part} is missing", domain=From.SECRET)


class Usage(Record, tag_field="type"):
    """What a secret is for; the members of the union `AnyUsage`."""

    @property
    def id(self) -> str:
        """The name by which documents ask for the secret: it is unique among those of its type."""
        return ""


class NoUsage(Usage, tag="none"):
    pass


class VolumeUsage(Usage, tag="volume"):
    volume: Annotated[str, at("volume", missing=_missing("volume", "volume path"))]

    @property
    def id(self) -> str:
        return self.volume


class CephUsage(Usage, tag="ceph"):
    name: Annotated[str, at("name", missing=_missing("Ceph", "name"))]

    @property
    def id(self) -> str:
        return self.name


class IscsiUsage(Usage, tag="iscsi"):
    target: Annotated[str, at("target", missing=_missing("iSCSI", "target"))]

    @property
    def id(self) -> str:
        return self.target


class TlsUsage(Usage, tag="tls"):
    name: Annotated[str, at("name", missing=_missing("TLS", "name"))]

    @property
    def id(self) -> str:
        return self.name


class VtpmUsage(Usage, tag="vtpm"):
    name: Annotated[str, at("name", missing=_missing("vTPM", "name"))]

    @property
    def id(self) -> str:
        return self.name


AnyUsage = NoUsage | VolumeUsage | CephUsage | IscsiUsage | TlsUsage | VtpmUsage


def _invalid(attribute: str) -> Complaint:
    return Complaint(XmlError, f"invalid value of '{attribute}'", domain=From.SECRET)


class Secret(Record):
    """A secret. ephemeral: kept in memory only. private: its value is never shown to a client."""

    ephemeral: Annotated[YesNo, at("@ephemeral", unset=("",), wrong=_invalid("ephemeral"))] = False
    private: Annotated[YesNo, at("@private", unset=("",), wrong=_invalid("private"))] = False
    uuid: Annotated[
        Uuid | None, at("uuid", wrong=Complaint(InternalError, "malformed uuid element", domain=From.SECRET))
    ] = None
    description: Child[str | None] = None
    usage: Annotated[
        AnyUsage | None,
        at(
            "usage",
            wrong=Complaint(ConfigUnsupported, "unknown secret usage type %s", domain=From.SECRET),
            missing=Complaint(XmlError, "unknown secret usage type", domain=From.SECRET),
        ),
    ] = None


__all__ = [
    "AnyUsage", "CephUsage", "IscsiUsage", "NoUsage", "Secret", "TlsUsage", "Usage", "VolumeUsage", "VtpmUsage",
]  # fmt: skip
