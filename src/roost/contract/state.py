"""A domain's memory: on disk and back, and what can be seen of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from roost.contract.interface import Interface, optional
from roost.contract.references import DomainIdentity
from roost.contract.streams import ByteStream
from roost.contract.typed_params import TypedParam


class SavedState(Interface):
    """Save images. flags: constants.domain.SAVE_*; paths are of the daemon's host."""

    @optional
    async def save(self, domain: DomainIdentity, path: str, xml: str | None, flags: int) -> None:
        """Memory and devices to a file, then stop the domain. xml: what it is when restored, None for the same."""
        raise NotImplementedError

    @optional
    async def save_with(self, domain: DomainIdentity, parameters: Sequence[TypedParam], flags: int) -> None:
        """The same by parameters; without SAVE_PARAM_FILE it is a managed save."""
        raise NotImplementedError

    @optional
    async def restore(self, path: str, xml: str | None, flags: int) -> None:
        """Start a domain from an image. xml: instead of the image's document."""
        raise NotImplementedError

    @optional
    async def restore_with(self, parameters: Sequence[TypedParam], flags: int) -> None:
        """The same by parameters."""
        raise NotImplementedError

    @optional
    async def describe_image(self, path: str, flags: int) -> str:
        """The document in an image. Without SAVE_IMAGE_XML_SECURE no secrets are in it."""
        raise NotImplementedError

    @optional
    async def define_image(self, path: str, xml: str, flags: int) -> None:
        """Replace the document in an image by one that the guest would not notice."""
        raise NotImplementedError

    @optional
    async def managed_save(self, domain: DomainIdentity, flags: int) -> None:
        """Save to an image that the domain's next start uses."""
        raise NotImplementedError

    @optional
    async def remove_managed_save(self, domain: DomainIdentity, flags: int) -> None:
        raise NotImplementedError

    @optional
    async def describe_managed_save(self, domain: DomainIdentity, flags: int) -> str:
        raise NotImplementedError

    @optional
    async def define_managed_save(self, domain: DomainIdentity, xml: str, flags: int) -> None:
        raise NotImplementedError


class Picture(ByteStream, Protocol):
    """A screen's picture as a stream. mime: what kind of picture."""

    @property
    def mime(self) -> str: ...


class Memory(Interface):
    """What a running guest has in its memory and on its screen."""

    @optional
    async def dump(self, domain: DomainIdentity, path: str, format: int, flags: int) -> None:
        """Its memory as a core file. format: CORE_DUMP_FORMAT_*; flags: DUMP_*."""
        raise NotImplementedError

    @optional
    async def screenshot(self, domain: DomainIdentity, screen: int, flags: int) -> Picture:
        raise NotImplementedError

    @optional
    async def peek(self, domain: DomainIdentity, offset: int, size: int, flags: int) -> bytes:
        """Bytes of its memory, by virtual or physical address (MEMORY_VIRTUAL, MEMORY_PHYSICAL)."""
        raise NotImplementedError

    @optional
    async def start_dirty_rate(self, domain: DomainIdentity, seconds: int, flags: int) -> None:
        """Begin to measure how fast it writes to its memory; the statistics tell the result."""
        raise NotImplementedError
