"""Domains: finding and defining them, running them, looking at them.

Every call names its domain by what the client sent; implementations find the
record by UUID and raise NoDomain when it is gone. Flags are the public API's;
an unknown bit is refused with InvalidArg (`flags.check`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from roost.contract.interface import Interface, optional
from roost.contract.references import DomainIdentity, DomainRef
from roost.contract.streams import ByteStream


class DomainInfo(NamedTuple):
    """memory sizes: KiB. cpu_time: nanoseconds."""

    state: int
    max_memory: int
    memory: int
    vcpus: int
    cpu_time: int


class Domains(Interface):
    """The registry: lookup, lists, definitions."""

    @optional
    def lookup_by_id(self, id: int) -> DomainRef:
        raise NotImplementedError

    @optional
    def lookup_by_uuid(self, uuid: bytes) -> DomainRef:
        raise NotImplementedError

    @optional
    def lookup_by_name(self, name: str) -> DomainRef:
        raise NotImplementedError

    @optional
    def list_all(self, flags: int) -> Sequence[DomainRef]:
        """Domains that match the filter groups of constants.domain.LIST_DOMAINS_*."""
        raise NotImplementedError

    @optional
    def count_active(self) -> int:
        raise NotImplementedError

    @optional
    def active_ids(self, limit: int) -> Sequence[int]:
        raise NotImplementedError

    @optional
    def count_defined(self) -> int:
        raise NotImplementedError

    @optional
    def defined_names(self, limit: int) -> Sequence[str]:
        raise NotImplementedError

    @optional
    async def define(self, xml: str, flags: int) -> DomainRef:
        """Make or replace the persistent definition; on disk before this returns."""
        raise NotImplementedError

    @optional
    async def create_xml(self, xml: str, flags: int) -> DomainRef:
        """Start a domain from a document; transient unless already defined."""
        raise NotImplementedError

    @optional
    async def undefine(self, domain: DomainIdentity, flags: int) -> None:
        raise NotImplementedError

    @optional
    def describe(self, domain: DomainIdentity, flags: int) -> str:
        """The domain's XML. Without XML_SECURE no secrets are in it."""
        raise NotImplementedError

    @optional
    async def describe_for_host(self, domain: DomainIdentity, flags: int) -> str:
        """The same with what is relative to the host decided: XML_UPDATE_CPU."""
        raise NotImplementedError

    @optional
    def is_active(self, domain: DomainIdentity) -> bool:
        raise NotImplementedError

    @optional
    def is_persistent(self, domain: DomainIdentity) -> bool:
        raise NotImplementedError

    @optional
    def is_updated(self, domain: DomainIdentity) -> bool:
        raise NotImplementedError

    @optional
    def autostart(self, domain: DomainIdentity) -> bool:
        raise NotImplementedError

    @optional
    async def set_autostart(self, domain: DomainIdentity, autostart: bool) -> None:
        raise NotImplementedError

    @optional
    def autostart_once(self, domain: DomainIdentity) -> bool:
        """Whether the next boot of the host starts it, and no other."""
        raise NotImplementedError

    @optional
    async def set_autostart_once(self, domain: DomainIdentity, autostart: bool) -> None:
        raise NotImplementedError

    @optional
    async def rename(self, domain: DomainIdentity, new_name: str | None, flags: int) -> None:
        raise NotImplementedError

    @optional
    def metadata(self, domain: DomainIdentity, kind: int, uri: str | None, flags: int) -> str:
        raise NotImplementedError

    @optional
    async def set_metadata(
        self, domain: DomainIdentity, kind: int, metadata: str | None, key: str | None, uri: str | None, flags: int
    ) -> None:
        raise NotImplementedError


class Lifecycle(Interface):
    """Starting, pausing and ending a domain."""

    @optional
    async def create(self, domain: DomainIdentity, flags: int) -> DomainRef:
        """Start a defined domain; the reference carries its new id."""
        raise NotImplementedError

    @optional
    async def shutdown(self, domain: DomainIdentity, flags: int) -> None:
        raise NotImplementedError

    @optional
    async def reboot(self, domain: DomainIdentity, flags: int) -> None:
        raise NotImplementedError

    @optional
    async def reset(self, domain: DomainIdentity, flags: int) -> None:
        raise NotImplementedError

    @optional
    async def suspend(self, domain: DomainIdentity) -> None:
        raise NotImplementedError

    @optional
    async def resume(self, domain: DomainIdentity) -> None:
        raise NotImplementedError

    @optional
    async def destroy(self, domain: DomainIdentity, flags: int) -> None:
        raise NotImplementedError

    @optional
    async def set_action(self, domain: DomainIdentity, kind: int, action: int, flags: int) -> None:
        """What follows an end: constants.domain's LIFECYCLE_* and LIFECYCLE_ACTION_*; flags: AFFECT_*."""
        raise NotImplementedError


class Inspection(Interface):
    """What is known of a domain without asking its guest or its QEMU."""

    @optional
    def info(self, domain: DomainIdentity) -> DomainInfo:
        raise NotImplementedError

    @optional
    def state(self, domain: DomainIdentity, flags: int) -> tuple[int, int]:
        """(state, reason), constants.domain's numbers."""
        raise NotImplementedError

    @optional
    def os_type(self, domain: DomainIdentity) -> str:
        raise NotImplementedError

    @optional
    def max_memory(self, domain: DomainIdentity) -> int:
        """KiB."""
        raise NotImplementedError

    @optional
    def max_vcpus(self, domain: DomainIdentity) -> int:
        raise NotImplementedError

    @optional
    def vcpus(self, domain: DomainIdentity, flags: int) -> int:
        """The number of virtual CPUs that constants.domain.VCPU_* selects."""
        raise NotImplementedError

    @optional
    def control_info(self, domain: DomainIdentity, flags: int) -> tuple[int, int, int]:
        """(state, details, milliseconds in it) of the control channel."""
        raise NotImplementedError

    @optional
    def security_label(self, domain: DomainIdentity) -> tuple[str, bool]:
        """(label, enforcing)."""
        raise NotImplementedError

    @optional
    def messages(self, domain: DomainIdentity, flags: int) -> Sequence[str]:
        raise NotImplementedError

    @optional
    def has_managed_save(self, domain: DomainIdentity, flags: int) -> bool:
        raise NotImplementedError


class Consoles(Interface):
    """Character devices of a running domain, as streams."""

    @optional
    async def open_console(self, domain: DomainIdentity, device: str | None, flags: int) -> ByteStream:
        """device: an alias; None for the first console."""
        raise NotImplementedError

    @optional
    async def open_channel(self, domain: DomainIdentity, channel: str | None, flags: int) -> ByteStream:
        raise NotImplementedError


class Monitor(Interface):
    """QEMU's own monitor (the QEMU program of the protocol)."""

    @optional
    async def attach(self, pid: int, flags: int) -> DomainRef:
        """Make a domain of a QEMU that somebody else has started."""
        raise NotImplementedError

    @optional
    async def command(self, domain: DomainIdentity, command: str, flags: int) -> str:
        raise NotImplementedError

    @optional
    async def command_with_files(
        self, domain: DomainIdentity, command: str, flags: int, files: Sequence[int]
    ) -> tuple[str, Sequence[int]]:
        """The same with descriptors for QEMU; the answer, and descriptors that are the caller's to close."""
        raise NotImplementedError
