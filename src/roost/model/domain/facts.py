"""What the rules need to know of an emulator: filled from QEMU's answers, checked in as a fixture for tests."""

from __future__ import annotations

import msgspec


class Machine(msgspec.Struct, frozen=True, omit_defaults=True):
    """A machine type by its canonical name.

    default_cpu: the model a guest gets that asks for none; "" when QEMU does not tell.
    """

    name: str
    max_cpus: int = 1
    default_cpu: str = ""


#: Guests that an emulator runs besides those it is named for: a 64-bit PC runs 32-bit ones too.
_ALSO = {"x86_64": ("x86_64", "i686"), "ppc64": ("ppc64", "ppc64le")}


class MachineFacts(msgspec.Struct, frozen=True):
    """One emulator binary.

    arch: libvirt's name of the guest architecture it emulates.
    virt_types: the <domain type> values it serves: "qemu", and "kvm" where the host lets it.
    machines: by name and by alias.
    default_machine: the canonical name of the machine meant when none is named.
    devices: the names of QEMU's device types.
    has_max_cpu: there is a processor with all that QEMU emulates.
    protections: the kinds of <launchSecurity> that QEMU and the host have.
    nvram_directory: where the host keeps the variables of guests' firmware.
    """

    emulator: str
    arch: str
    virt_types: frozenset[str]
    machines: dict[str, Machine]
    default_machine: str
    devices: frozenset[str]
    has_max_cpu: bool = True
    protections: frozenset[str] = frozenset()
    nvram_directory: str = "/var/lib/libvirt/qemu/nvram"

    @property
    def arches(self) -> tuple[str, ...]:
        """What a guest may call its architecture."""
        return _ALSO.get(self.arch, (self.arch,))

    def machine(self, name: str | None) -> Machine | None:
        """The machine of that name or alias; None asks for the default."""
        return self.machines.get(name or self.default_machine)


__all__ = ["Machine", "MachineFacts"]
