"""Capability documents on demand: made once, kept as text for as long as nothing they tell of has changed."""

from __future__ import annotations

import asyncio
import functools
import os
import shutil
import time
from collections.abc import Hashable
from typing import NamedTuple, get_args

from roost.drivers.qemu.capabilities.cache import CapabilitiesCache
from roost.drivers.qemu.capabilities.domain_document import (
    FALLBACK_LOADERS,
    Setting,
    domain_capabilities,
    encrypted_guests,
)
from roost.drivers.qemu.capabilities.emulators import GLANCE, Programs
from roost.drivers.qemu.capabilities.host_document import capabilities
from roost.drivers.qemu.capabilities.processors import GuestProcessors, host_processor, make_of_host
from roost.drivers.qemu.capabilities.record import Capabilities, MachineType
from roost.drivers.qemu.firmware import FirmwareStore
from roost.errors import ConfigUnsupported, From, InvalidArg, RoostError
from roost.host.api import Account, Command, Host
from roost.model.cpu.arches import ARCHES
from roost.model.cpu.document import Processor
from roost.model.domain.domain import DomainType

#: Architectures that one emulator may serve besides its own.
_FAMILIES = (
    ("x86_64", "i686"),
    ("ppc", "ppc64", "ppc64le"),
    ("armv6l", "armv7b", "armv7l", "aarch64"),
    ("s390", "s390x"),
)
_VFIO = "/dev/vfio/vfio"
_SWTPM = ("swtpm", "swtpm_setup", "swtpm_ioctl")
_TPM_VERSIONS = ("1.2", "2.0")


class Choice(NamedTuple):
    """What a client asks about, with what it left open filled in."""

    caps: Capabilities
    arch: str
    virt_type: str
    machine: MachineType


class _Surroundings(NamedTuple):
    """What documents depend on besides the emulator: directories of programs, descriptors of firmware, the IOMMU."""

    programs: Programs
    firmware: tuple[tuple[str, int, int], ...]
    iommu: bool


class _Kept(NamedTuple):
    """A text, and what it was made of."""

    made_of: Hashable
    text: str


class CapabilityDocuments:
    """The two documents, and the processors that they tell of."""

    def __init__(self, cache: CapabilitiesCache, host: Host, account: Account | None, firmware: FirmwareStore) -> None:
        self._cache = cache
        self._host = host
        self._account = account
        self._firmware = firmware
        self._seen: tuple[float, _Surroundings] | None = None
        self._host_text: _Kept | None = None
        self._texts: dict[Hashable, _Kept] = {}
        self._processors: dict[tuple[str, str], tuple[Capabilities, GuestProcessors]] = {}
        self._tpm: tuple[Hashable, tuple[str, ...] | None] = (None, None)

    def _look(self) -> _Surroundings:
        now = time.monotonic()
        if self._seen is None or now - self._seen[0] > GLANCE:
            programs = self._cache.emulators.programs()
            self._seen = now, _Surroundings(programs, self._firmware.stamp(), self._host.hardware.has_iommu())
        return self._seen[1]

    # -- <capabilities> ------------------------------------------------------------------------

    async def host(self) -> str:
        """The host, and each emulator on it; emulators that cannot be asked are left out."""
        guests: list[tuple[str, Capabilities]] = []
        emulators = self._cache.emulators.all()
        answers = await self._ask(list(dict.fromkeys(emulators.values())))
        for arch, binary in emulators.items():
            if binary in answers:
                guests.append((arch, answers[binary]))
        hardware = self._host.hardware
        made_of = (tuple(map(id, answers.values())), tuple(emulators), tuple(hardware.cells()), self._look().iommu)
        if self._host_text is None or self._host_text.made_of != made_of:
            text = capabilities(self._host.node, hardware, guests, self._account)
            self._host_text = _Kept(made_of, text)
        return self._host_text.text

    async def _ask(self, binaries: list[str]) -> dict[str, Capabilities]:
        found: dict[str, Capabilities] = {}
        missing = []
        for binary in binaries:
            known = self._cache.known(binary)
            if known is not None:
                found[binary] = known
            else:
                missing.append(binary)
        # Each probe is a process of its own; a few at a time keep every processor busy.
        limit = asyncio.Semaphore(os.cpu_count() or 1)

        async def ask(binary: str) -> Capabilities | None:
            async with limit:
                try:
                    return await self._cache.get(binary)
                except RoostError:
                    return None

        asked = await asyncio.gather(*map(ask, missing))
        found |= {binary: caps for binary, caps in zip(missing, asked, strict=True) if caps is not None}
        return {binary: found[binary] for binary in binaries if binary in found}

    # -- <domainCapabilities> ------------------------------------------------------------------

    async def choose(
        self, emulator: str | None, arch: str | None, machine: str | None, virt_type: str | None
    ) -> Choice:
        """Raises InvalidArg for what the emulator does not serve, ConfigUnsupported without an emulator."""
        if virt_type is not None and virt_type not in get_args(DomainType):
            raise InvalidArg(f"unknown virttype: {virt_type}", domain=From.QEMU, hint="use qemu or kvm")
        if arch is not None and arch not in ARCHES:
            hint = f"one of {', '.join(ARCHES)}"
            raise InvalidArg(f"unknown architecture: {arch}", domain=From.QEMU, hint=hint)
        wanted = arch or self._host.node.machine()
        binary = emulator or self._cache.emulators.all().get(wanted)
        if binary is None:
            raise ConfigUnsupported(
                f"unable to find any emulator to serve '{wanted}' architecture",
                domain=From.QEMU,
                hint="install the package with its qemu-system binary",
            )
        caps = self._cache.known(binary) or await self._cache.get(binary)
        if not _serves(caps.arch, wanted):
            raise InvalidArg(
                f"architecture from emulator '{caps.arch}' doesn't match given architecture '{wanted}'",
                domain=From.QEMU,
            )
        kind = virt_type or ("kvm" if "kvm" in caps.accelerators else "qemu")
        if kind != "qemu" and kind not in caps.accelerators:
            raise InvalidArg(
                f"the accel '{'kvm' if kind == 'kvm' else 'tcg'}' is not supported by '{binary}' on this host",
                domain=From.QEMU,
                hint="use virttype qemu",
            )
        found = caps.machine(machine)
        if found is None:
            raise InvalidArg(
                f"the machine '{machine}' is not supported by emulator '{binary}'",
                domain=From.QEMU,
                hint="virsh capabilities lists those that are",
            )
        return Choice(caps, wanted, kind, found)

    async def domain(self, choice: Choice, *, expand_features: bool = False) -> str:
        """What a guest so chosen may have."""
        caps, arch, virt_type, machine = choice
        key = (caps.binary, arch, virt_type, machine.name, expand_features)
        seen = self._look()
        tpm = await self._tpm_versions()
        kept = self._texts.get(key)
        made_of = (id(caps), seen.firmware, seen.iommu, tpm)
        if kept is not None and kept.made_of == made_of:
            return kept.text
        text = domain_capabilities(self._setting(choice, tpm)._replace(expand_features=expand_features))
        self._texts[key] = _Kept(made_of, text)
        return text

    def _setting(self, choice: Choice, tpm: tuple[str, ...] | None) -> Setting:
        hardware, descriptors = self._host.hardware, self._firmware.descriptors()
        images = {*FALLBACK_LOADERS, *(each.image for each in descriptors)}
        return Setting(
            choice.caps,
            choice.arch,
            choice.machine,
            choice.virt_type,
            self.processors(choice.caps, choice.virt_type),
            descriptors=descriptors,
            loaders=frozenset(filter(os.path.exists, images)),
            vfio=hardware.has_iommu() and os.path.exists(_VFIO),
            swtpm=tpm,
            encrypted_guests=encrypted_guests(hardware.cpuid()),
            max_vcpus=hardware.kvm_max_vcpus(),
        )

    def processors(self, caps: Capabilities, virt_type: str) -> GuestProcessors:
        """What <cpu> can be for guests of an emulator."""
        key = caps.binary, virt_type
        known = self._processors.get(key)
        if known is None or known[0] is not caps:
            made = GuestProcessors(caps, virt_type, make_of_host(self._host.hardware.cpuid()))
            known = self._processors[key] = caps, made
        return known[1]

    @functools.cached_property
    def host_processor(self) -> Processor:
        """The host's own."""
        return host_processor(make_of_host(self._host.hardware.cpuid()), arch=self._host.node.machine())

    async def _tpm_versions(self) -> tuple[str, ...] | None:
        """Those that swtpm emulates, asked again when it has changed; None when it is not there."""
        programs = self._look().programs
        if self._tpm[0] != programs:
            self._tpm = programs, await self._ask_swtpm()
        return self._tpm[1]

    async def _ask_swtpm(self) -> tuple[str, ...] | None:
        paths = [shutil.which(name) for name in _SWTPM]
        if paths[1] is None or None in paths:
            return None
        output = os.memfd_create("swtpm-capabilities")
        try:
            command = Command([paths[1], "--print-capabilities"], dict(os.environ), output, lives_on=False)
            await (await self._host.processes.start(command)).wait()
            told = os.pread(output, 65536, 0)
        finally:
            os.close(output)
        return tuple(version for version in _TPM_VERSIONS if f'"tpm-{version}"'.encode() in told)


def _serves(emulated: str, arch: str) -> bool:
    return emulated == arch or any(emulated in family and arch in family for family in _FAMILIES)
