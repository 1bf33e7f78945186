"""Snapshots: what a domain's disks, and its memory where it ran, were at one time."""

from __future__ import annotations

from collections.abc import Sequence

from roost.contract.interface import Interface, optional
from roost.contract.references import DomainIdentity, MomentIdentity, MomentRef


class Snapshots(Interface):
    """Those of a domain are a tree; the one that it was made of, or went back to, last is the current one."""

    @optional
    async def create(self, domain: DomainIdentity, xml: str, flags: int) -> MomentRef:
        """Take one; or, by flag, make one known again. On disk before this returns."""
        raise NotImplementedError

    @optional
    def describe(self, snapshot: MomentIdentity, flags: int) -> str:
        """The document."""
        raise NotImplementedError

    @optional
    def list_all(self, domain: DomainIdentity, flags: int) -> Sequence[MomentRef]:
        """Parents before their children."""
        raise NotImplementedError

    @optional
    def children(self, snapshot: MomentIdentity, flags: int) -> Sequence[MomentRef]:
        """Those made from it; by flag all below it."""
        raise NotImplementedError

    @optional
    def lookup(self, domain: DomainIdentity, name: str, flags: int) -> MomentRef:
        raise NotImplementedError

    @optional
    def parent(self, snapshot: MomentIdentity, flags: int) -> MomentRef:
        """Raises NoDomainSnapshot for one that was made from none."""
        raise NotImplementedError

    @optional
    def has_current(self, domain: DomainIdentity, flags: int) -> bool:
        raise NotImplementedError

    @optional
    def current(self, domain: DomainIdentity, flags: int) -> MomentRef:
        """Raises NoDomainSnapshot when there is none."""
        raise NotImplementedError

    @optional
    def is_current(self, snapshot: MomentIdentity, flags: int) -> bool:
        raise NotImplementedError

    @optional
    def has_metadata(self, snapshot: MomentIdentity, flags: int) -> bool:
        """Whether something is kept of it beside the domain's images."""
        raise NotImplementedError

    @optional
    async def revert(self, snapshot: MomentIdentity, flags: int) -> None:
        """Make the domain what it was then."""
        raise NotImplementedError

    @optional
    async def delete(self, snapshot: MomentIdentity, flags: int) -> None:
        """Forget one, and by flag those below it; what they keep in images goes with them."""
        raise NotImplementedError
