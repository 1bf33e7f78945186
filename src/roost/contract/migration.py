"""How a domain would be moved to another host: what bounds that, set before or while it is."""

from __future__ import annotations

from roost.contract.interface import Interface, optional
from roost.contract.references import DomainIdentity


class Migration(Interface):
    """Bounds hold for as long as the domain runs, its speed for as long as the daemon does, too."""

    @optional
    async def set_max_downtime(self, domain: DomainIdentity, downtime: int, flags: int) -> None:
        """How many milliseconds a guest may stand still at the end."""
        raise NotImplementedError

    @optional
    async def max_downtime(self, domain: DomainIdentity, flags: int) -> int:
        """Milliseconds."""
        raise NotImplementedError

    @optional
    async def set_max_speed(self, domain: DomainIdentity, bandwidth: int, flags: int) -> None:
        """MiB/s, of a domain that does not run, too; flags: MIGRATE_MAX_SPEED_POSTCOPY."""
        raise NotImplementedError

    @optional
    async def max_speed(self, domain: DomainIdentity, flags: int) -> int:
        """MiB/s."""
        raise NotImplementedError

    @optional
    async def set_compression_cache(self, domain: DomainIdentity, size: int, flags: int) -> None:
        """Bytes that are kept to send only what has changed of pages."""
        raise NotImplementedError

    @optional
    async def compression_cache(self, domain: DomainIdentity, flags: int) -> int:
        """Bytes."""
        raise NotImplementedError

    @optional
    async def start_post_copy(self, domain: DomainIdentity, flags: int) -> None:
        """Have the guest that is being moved go on over there at once, and its memory follow."""
        raise NotImplementedError


__all__ = ["Migration"]
