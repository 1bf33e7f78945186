"""Images of running guests: jobs on them, their size, what is known of them.

Paths name a disk by its target (`vda`) or by its image; images below by `vda[3]`
or by their path. Bandwidth is in MiB/s, or bytes/s where a flag says so.
"""

from __future__ import annotations

from collections.abc import Sequence

from roost.contract.interface import Interface, optional
from roost.contract.references import DomainIdentity
from roost.contract.typed_params import TypedParam


class Blocks(Interface):
    """Jobs on the images of a disk, one at a time for each disk."""

    @optional
    async def pull(self, domain: DomainIdentity, path: str, bandwidth: int, flags: int) -> None:
        """Begin to copy everything below a disk's image into it."""
        raise NotImplementedError

    @optional
    async def rebase(self, domain: DomainIdentity, path: str, base: str | None, bandwidth: int, flags: int) -> None:
        """The same down to an image that stays; or, by flag, begin a copy to the file `base`."""
        raise NotImplementedError

    @optional
    async def commit(
        self, domain: DomainIdentity, path: str, base: str | None, top: str | None, bandwidth: int, flags: int
    ) -> None:
        """Begin to write `top` and what is below it into `base`."""
        raise NotImplementedError

    @optional
    async def copy(
        self, domain: DomainIdentity, path: str, destination: str, params: Sequence[TypedParam], flags: int
    ) -> None:
        """Begin a copy of a disk. destination: a <disk> document, of which the source counts."""
        raise NotImplementedError

    @optional
    async def job_info(self, domain: DomainIdentity, path: str, flags: int) -> tuple[int, int, int, int] | None:
        """(type, bandwidth, done, of how much) of the disk's job; None without one."""
        raise NotImplementedError

    @optional
    async def set_job_speed(self, domain: DomainIdentity, path: str, bandwidth: int, flags: int) -> None:
        raise NotImplementedError

    @optional
    async def abort_job(self, domain: DomainIdentity, path: str, flags: int) -> None:
        """End a job, or pivot to its copy; by flag without waiting for it."""
        raise NotImplementedError

    @optional
    async def resize(self, domain: DomainIdentity, path: str, size: int, flags: int) -> None:
        """size: KiB, or bytes by flag; with RESIZE_CAPACITY 0 for all that the device has."""
        raise NotImplementedError

    @optional
    async def set_threshold(self, domain: DomainIdentity, device: str, threshold: int, flags: int) -> None:
        """Have an event when more than `threshold` bytes of an image are written to."""
        raise NotImplementedError

    @optional
    async def info(self, domain: DomainIdentity, path: str, flags: int) -> tuple[int, int, int]:
        """(allocation, capacity, physical) of a disk's image, in bytes."""
        raise NotImplementedError

    @optional
    async def peek(self, domain: DomainIdentity, path: str, offset: int, size: int, flags: int) -> bytes:
        """`size` bytes at `offset` of a raw disk."""
        raise NotImplementedError

    @optional
    async def disk_errors(
        self, domain: DomainIdentity, limit: int, flags: int
    ) -> tuple[Sequence[tuple[str, int]], int]:
        """(target, constants.domain's kind of error) of disks that have one, and how many; limit 0: of disks."""
        raise NotImplementedError

    @optional
    async def statistics(
        self, domain: DomainIdentity, path: str, limit: int, flags: int
    ) -> tuple[Sequence[TypedParam], int]:
        """Counters of a disk, of all together with path "", and how many there are; limit 0: only that."""
        raise NotImplementedError
