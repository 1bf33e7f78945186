"""What long changes of a domain do: how far they have come, and ending them."""

from __future__ import annotations

from collections.abc import Sequence

from roost.contract.interface import Interface, optional
from roost.contract.references import DomainIdentity
from roost.contract.typed_params import TypedParam


class Jobs(Interface):
    """None of these waits for the job it is about."""

    @optional
    async def info(self, domain: DomainIdentity) -> tuple[int, ...]:
        """The twelve numbers of virDomainJobInfo, in its order: type, milliseconds, bytes."""
        raise NotImplementedError

    @optional
    async def statistics(self, domain: DomainIdentity, flags: int) -> tuple[int, Sequence[TypedParam]]:
        """(type, parameters) of the running job, or with STATS_COMPLETED of the last one."""
        raise NotImplementedError

    @optional
    async def abort(self, domain: DomainIdentity, flags: int) -> None:
        """End the running job; the domain goes on."""
        raise NotImplementedError
