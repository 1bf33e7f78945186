"""Checkpoints: moments since when the changes of disks are known; and backups, which need them to be incremental."""

from __future__ import annotations

from collections.abc import Sequence

from roost.contract.interface import Interface, optional
from roost.contract.references import DomainIdentity, MomentIdentity, MomentRef


class Checkpoints(Interface):
    """Those of a domain are a tree: each was made while another was the current one."""

    @optional
    async def create(self, domain: DomainIdentity, xml: str, flags: int) -> MomentRef:
        """Begin to count what changes; or, by flag, make one known again. On disk before this returns."""
        raise NotImplementedError

    @optional
    async def describe(self, checkpoint: MomentIdentity, flags: int) -> str:
        """The document; by flag with the bytes changed since."""
        raise NotImplementedError

    @optional
    def list_all(self, domain: DomainIdentity, flags: int) -> Sequence[MomentRef]:
        raise NotImplementedError

    @optional
    def children(self, checkpoint: MomentIdentity, flags: int) -> Sequence[MomentRef]:
        raise NotImplementedError

    @optional
    def lookup(self, domain: DomainIdentity, name: str, flags: int) -> MomentRef:
        raise NotImplementedError

    @optional
    def parent(self, checkpoint: MomentIdentity, flags: int) -> MomentRef:
        raise NotImplementedError

    @optional
    async def delete(self, checkpoint: MomentIdentity, flags: int) -> None:
        raise NotImplementedError


class Backups(Interface):
    """One at a time for each domain; it is ended as the domain's job."""

    @optional
    async def begin(self, domain: DomainIdentity, xml: str, checkpoint: str | None, flags: int) -> None:
        """Begin one, and a checkpoint of the same moment."""
        raise NotImplementedError

    @optional
    def describe(self, domain: DomainIdentity, flags: int) -> str:
        """The document of the one that runs."""
        raise NotImplementedError
