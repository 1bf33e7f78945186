"""How objects are named across the contract."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class DomainIdentity(Protocol):
    """Anything that names a domain: what a client sent, or a `DomainRef`."""

    @property
    def name(self) -> str: ...
    @property
    def uuid(self) -> bytes: ...
    @property
    def id(self) -> int: ...


class DomainRef(NamedTuple):
    """A domain as clients see it. uuid: 16 bytes. id: -1 when not running."""

    name: str
    uuid: bytes
    id: int


class MomentIdentity(Protocol):
    """Anything that names a snapshot or a checkpoint: what a client sent, or a `MomentRef`."""

    @property
    def name(self) -> str: ...
    @property
    def dom(self) -> DomainIdentity: ...


class MomentRef(NamedTuple):
    """A snapshot or a checkpoint as clients see it."""

    name: str
    dom: DomainRef
