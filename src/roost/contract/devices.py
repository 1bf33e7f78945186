"""Devices of a domain, changed while it runs and in its definition."""

from __future__ import annotations

from collections.abc import Sequence

from roost.contract.interface import Interface, optional
from roost.contract.references import DomainIdentity
from roost.contract.typed_params import TypedParam


class Devices(Interface):
    """xml: one device. flags: constants.domain.AFFECT_*; DEVICE_MODIFY_FORCE for `update`."""

    @optional
    async def attach(self, domain: DomainIdentity, xml: str, flags: int) -> None:
        raise NotImplementedError

    @optional
    async def detach(self, domain: DomainIdentity, xml: str, flags: int) -> None:
        """Ends when the guest has let go of the device, or has refused to, or has not been heard of for seconds."""
        raise NotImplementedError

    @optional
    async def detach_alias(self, domain: DomainIdentity, alias: str, flags: int) -> None:
        """Sends the request; the event says how it ended."""
        raise NotImplementedError

    @optional
    async def announce(
        self, domain: DomainIdentity, interface: str | None, params: Sequence[TypedParam], flags: int
    ) -> None:
        """Have an interface, or all, tell the network where they are. params: constants.announcing."""
        raise NotImplementedError

    @optional
    async def update(self, domain: DomainIdentity, xml: str, flags: int) -> None:
        raise NotImplementedError
