"""A domain document as the hypervisor's own configuration, and back."""

from __future__ import annotations

from roost.contract.interface import Interface, optional


class Translation(Interface):
    """Formats are named by the driver: `qemu-argv`."""

    @optional
    async def to_native(self, format: str, xml: str, flags: int) -> str:
        """The configuration that a domain document means. Nothing is acquired or started."""
        raise NotImplementedError

    @optional
    async def from_native(self, format: str, config: str, flags: int) -> str:
        """The domain document that a configuration describes."""
        raise NotImplementedError
