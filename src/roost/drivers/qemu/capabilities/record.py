"""The record of a QEMU binary's capabilities. Dry."""

from __future__ import annotations

import msgspec

#: Prefixes of `Capabilities.has` and where they look.
_NAMESPACES = {"command": "commands", "event": "events", "option": "options", "audiodev": "audio_drivers"}


class MachineType(msgspec.Struct, frozen=True, omit_defaults=True):
    """alias: a second name for it, "" without.

    default_ram_id: the board's memory backend (`pc.ram`); None: it takes no backend.
    """

    name: str
    alias: str = ""
    is_default: bool = False
    max_cpus: int = 1
    hotpluggable_cpus: bool = False
    deprecated: bool = False
    default_cpu: str = ""
    default_ram_id: str | None = None
    numa_memory: bool = False


class CpuModel(msgspec.Struct, frozen=True, omit_defaults=True):
    """unavailable: features the host lacks for it; None when QEMU cannot tell."""

    name: str
    typename: str = ""
    unavailable: tuple[str, ...] | None = None
    deprecated: bool = False


class Capabilities(msgspec.Struct, frozen=True):
    """What one binary can do.

    arch: libvirt's name for the guest's. version: (major, minor, micro).
    accelerators: what it was built with and the host allows, of "kvm", "tcg".
    types: QOM types that can be made: devices, backends, objects.
    properties: of some device types, by type.
    options: command line options as `option` and `option.parameter`.
    commands, events: QMP's. schema: SHA-256 of its schema.
    """

    binary: str
    arch: str
    version: tuple[int, int, int]
    package: str
    accelerators: tuple[str, ...]
    machines: tuple[MachineType, ...]
    cpu_models: tuple[CpuModel, ...]
    types: frozenset[str]
    properties: dict[str, frozenset[str]]
    options: frozenset[str]
    commands: frozenset[str]
    events: frozenset[str]
    schema: str
    #: What -audiodev takes; none of QMP's answers tells before 8.0.
    audio_drivers: frozenset[str] = frozenset(("none", "wav"))

    @property
    def version_number(self) -> int:
        """libvirt's form: major * 1,000,000 + minor * 1,000 + micro."""
        major, minor, micro = self.version
        return major * 1_000_000 + minor * 1_000 + micro

    def has(self, name: str) -> bool:
        """Whether the binary knows something.

        name: `virtio-blk-pci` a type, `virtio-blk-pci.queue-size` a property,
        `command:blockdev-add`, `event:BALLOON_CHANGE`, `option:sandbox`,
        `option:sandbox.spawn`, `audiodev:none`.
        """
        kind, colon, rest = name.partition(":")
        if colon:
            return rest in getattr(self, _NAMESPACES[kind])
        device, dot, prop = name.partition(".")
        # A type's own name may have a dot in it, so the whole name comes first.
        return name in self.types or (bool(dot) and prop in self.properties.get(device, ()))

    def machine(self, name: str | None) -> MachineType | None:
        """By name or alias; None asks for the default."""
        for machine in self.machines:
            if machine.is_default if name is None else name in (machine.name, machine.alias):
                return machine
        return None
