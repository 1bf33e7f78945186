"""Numbers of running domains."""

from __future__ import annotations

from collections.abc import Sequence

from roost.contract.interface import Interface, optional
from roost.contract.references import DomainIdentity, DomainRef
from roost.contract.typed_params import TypedParam


class Statistics(Interface):
    """Numbers of running domains. None of these waits for a job."""

    @optional
    async def memory_stats(self, domain: DomainIdentity, limit: int, flags: int) -> Sequence[tuple[int, int]]:
        """(constants.statistics.MEMORY_STAT_*, value) pairs."""
        raise NotImplementedError

    @optional
    async def all_stats(
        self, domains: Sequence[DomainIdentity], groups: int, flags: int
    ) -> Sequence[tuple[DomainRef, Sequence[TypedParam]]]:
        """The groups asked for (0: all) of the domains named (none: all), of those that the list filters pass.

        Domains that are gone are left out, and so are numbers that a hypervisor does not give in time.
        """
        raise NotImplementedError

    @optional
    async def block_stats(self, domain: DomainIdentity, path: str) -> tuple[int, int, int, int, int]:
        """(read requests, read bytes, write requests, write bytes, errors) of a disk; path "": of all together."""
        raise NotImplementedError

    @optional
    def interface_stats(self, domain: DomainIdentity, device: str) -> tuple[int, ...]:
        """The eight counters of virDomainInterfaceStats, in its order."""
        raise NotImplementedError
