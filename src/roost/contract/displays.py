"""Displays of running domains, for clients that bring or want a connection instead of a port."""

from __future__ import annotations

from collections.abc import Sequence

from roost.contract.interface import Interface, optional
from roost.contract.references import DomainIdentity


class Displays(Interface):
    """index: of the <graphics>, from 0. flags: constants.domain.OPEN_GRAPHICS_*."""

    @optional
    async def open(self, domain: DomainIdentity, index: int, flags: int, files: Sequence[int]) -> None:
        """Serve the display on a client's socket, the one of `files`."""
        raise NotImplementedError

    @optional
    async def reload(self, domain: DomainIdentity, kind: int, flags: int) -> None:
        """Read the certificates anew. kind: constants.displays."""
        raise NotImplementedError

    @optional
    async def connect(self, domain: DomainIdentity, index: int, flags: int) -> int:
        """A socket on which the display is served; the caller's to close."""
        raise NotImplementedError
