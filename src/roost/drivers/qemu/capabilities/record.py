"""The record of a QEMU binary's capabilities. Dry."""

from __future__ import annotations

import msgspec

#: Prefixes of `Capabilities.has` and where they look.
_NAMESPACES = {
    "command": "commands",
    "event": "events",
    "option": "options",
    "audiodev": "audio_drivers",
    "display": "displays",
}

_PREFERRED_MACHINES = dict.fromkeys(("armv6l", "armv7l", "aarch64"), "integratorcp")


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


class HostModel(msgspec.Struct, frozen=True, omit_defaults=True):
    """The best processor that QEMU gives a guest here, as it describes it itself; names are QEMU's.

    on: features it has. unmigratable: further ones, given only to guests that stay. off: features it has not.
    hyperv: enlightenments it can have, None when QEMU does not tell.
    """

    on: frozenset[str]
    unmigratable: frozenset[str]
    off: frozenset[str]
    vendor: str
    family: int
    model: int
    stepping: int
    hyperv: frozenset[str] | None = None


class SevFacts(msgspec.Struct, frozen=True):
    """What AMD's encrypted guests need."""

    cbitpos: int
    reduced_phys_bits: int
    cpu0_id: str = ""


class SgxFacts(msgspec.Struct, frozen=True):
    """Intel's enclaves. sections: (NUMA node, bytes)."""

    flc: bool
    sgx1: bool
    sgx2: bool
    sections: tuple[tuple[int, int], ...] = ()


class GicVersion(msgspec.Struct, frozen=True):
    """An interrupt controller of ARM, and who can provide it."""

    version: int
    emulated: bool
    kernel: bool


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
    #: What -display takes.
    displays: frozenset[str] = frozenset()
    #: Models under emulation, where `cpu_models` are those under KVM.
    tcg_models: tuple[CpuModel, ...] = ()
    #: By domain type, "kvm" or "qemu".
    host_models: dict[str, HostModel] = {}
    sev: SevFacts | None = None
    sgx: SgxFacts | None = None
    gic: tuple[GicVersion, ...] = ()

    @property
    def version_number(self) -> int:
        """libvirt's form: major * 1,000,000 + minor * 1,000 + micro."""
        major, minor, micro = self.version
        return major * 1_000_000 + minor * 1_000 + micro

    def has(self, name: str) -> bool:
        """Whether the binary knows something.

        name: `virtio-blk-pci` a type, `virtio-blk-pci.queue-size` a property,
        `command:blockdev-add`, `event:BALLOON_CHANGE`, `option:sandbox`,
        `option:sandbox.spawn`, `audiodev:none`, `display:sdl`.
        """
        kind, colon, rest = name.partition(":")
        if colon:
            return rest in getattr(self, _NAMESPACES[kind])
        device, dot, prop = name.partition(".")
        # A type's own name may have a dot in it, so the whole name comes first.
        return name in self.types or (bool(dot) and prop in self.properties.get(device, ()))

    @property
    def has_max_processor(self) -> bool:
        """Whether a guest can have everything that the emulator can give."""
        return any(name.startswith("max-") and name.endswith("-cpu") for name in self.types)

    def models_of(self, virt_type: str) -> tuple[CpuModel, ...]:
        """The processor models for guests of a domain type."""
        return self.tcg_models if virt_type == "qemu" and "kvm" in self.accelerators else self.cpu_models

    @property
    def default_machine(self) -> MachineType | None:
        """The one meant when none is named: QEMU's default, libvirt's where QEMU has none, or else the first."""
        preferred = _PREFERRED_MACHINES.get(self.arch)
        by_rank = sorted(self.machines, key=lambda each: (not each.is_default, each.name != preferred))
        return by_rank[0] if by_rank else None

    def machine(self, name: str | None) -> MachineType | None:
        """By name or alias; None asks for the default."""
        if name is None:
            return self.default_machine
        return next((each for each in self.machines if name in (each.name, each.alias)), None)
