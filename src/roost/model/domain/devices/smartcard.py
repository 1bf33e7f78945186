"""A smart card reader: <smartcard>."""

from __future__ import annotations

from typing import Annotated

from roost.errors import XmlError
from roost.model.domain.device import Device
from roost.model.domain.devices.chardev import UNKNOWN_CHAR, AnyCharSource
from roost.xml import Child, Complaint, Record, at, inline, tag_of


class Card(Record, tag_field="mode"):
    """Whose card it is; `AnyCard` is the union of its members."""


class HostCard(Card, tag="host"):
    """The host's own reader."""


class CertificatesCard(Card, tag="host-certificates"):
    """A card made of three certificates in a database of the host's."""

    certificates: Annotated[tuple[str, ...], at("certificate")] = ()
    database: Child[str | None] = None


class PassthroughCard(Card, tag="passthrough"):
    """A client's card, over a character device."""

    source: Annotated[
        AnyCharSource,
        inline(
            wrong=UNKNOWN_CHAR,
            missing=Complaint(XmlError, "passthrough mode requires a character device type attribute"),
        ),
    ]


AnyCard = HostCard | CertificatesCard | PassthroughCard


class Smartcard(Device):
    card: Annotated[AnyCard, inline()]

    @property
    def mode(self) -> str:
        """host, host-certificates or passthrough."""
        return tag_of(self.card)


__all__ = ["AnyCard", "Card", "CertificatesCard", "HostCard", "PassthroughCard", "Smartcard"]
