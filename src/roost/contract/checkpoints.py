"""Checkpoints: moments since when the changes of disks are known; and backups, which need them to be incremental."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from roost.contract.interface import Interface, optional
from roost.contract.references import DomainIdentity, DomainRef


class CheckpointIdentity(Protocol):
    """Anything that names a checkpoint: what a client sent, or a `CheckpointRef`."""

    @property
    def name(self) -> str: ...
    @property
    def dom(self) -> DomainIdentity: ...


class CheckpointRef(NamedTuple):
    """A checkpoint as clients see it."""

    name: str
    dom: DomainRef


class Checkpoints(Interface):
    """Those of a domain are a tree: each was made while another was the current one."""

    @optional
    async def create(self, domain: DomainIdentity, xml: str, flags: int) -> CheckpointRef:
        """Begin to count what changes; or, by flag, make one known again. On disk before this returns."""
        raise NotImplementedError

    @optional
    async def describe(self, checkpoint: CheckpointIdentity, flags: int) -> str:
        """The document; by flag with the bytes changed since."""
        raise NotImplementedError

    @optional
    def list_all(self, domain: DomainIdentity, flags: int) -> Sequence[CheckpointRef]:
        raise NotImplementedError

    @optional
    def children(self, checkpoint: CheckpointIdentity, flags: int) -> Sequence[CheckpointRef]:
        raise NotImplementedError

    @optional
    def lookup(self, domain: DomainIdentity, name: str, flags: int) -> CheckpointRef:
        raise NotImplementedError

    @optional
    def parent(self, checkpoint: CheckpointIdentity, flags: int) -> CheckpointRef:
        raise NotImplementedError

    @optional
    async def delete(self, checkpoint: CheckpointIdentity, flags: int) -> None:
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
