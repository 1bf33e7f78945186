"""What Debian 12's emulators answered, kept in tests/golden/capabilities, to test rules without them."""

from __future__ import annotations

import asyncio
import functools
import tempfile
from pathlib import Path

import msgspec

from roost.drivers.qemu.capabilities import Capabilities, CapabilitiesCache
from roost.drivers.qemu.facts import machine_facts
from roost.host.linux.processes import LinuxProcesses
from roost.model.domain.facts import MachineFacts
from roost.model.domain.firmware import FirmwareDescriptor

RECORDED = Path(__file__).parents[1] / "golden" / "capabilities"
#: Those recorded, by libvirt's names.
ARCHES = ("x86_64", "i686", "aarch64", "ppc64", "riscv64", "s390x")


@functools.cache
def capabilities(arch: str = "x86_64") -> Capabilities:
    """Of the emulator for an architecture, by libvirt's name for it."""
    name = {"ppc64le": "ppc64"}.get(arch, arch)
    return msgspec.json.decode((RECORDED / f"{name}.json").read_bytes(), type=Capabilities)


@functools.cache
def firmwares() -> tuple[FirmwareDescriptor, ...]:
    """The firmware descriptors of Debian 12's packages."""
    return msgspec.json.decode((RECORDED / "firmware.json").read_bytes(), type=tuple[FirmwareDescriptor, ...])


@functools.cache
def facts(arch: str = "x86_64", *virt_types: str) -> MachineFacts:
    """What the model's rules know of that emulator. virt_types: those it serves, when not just those recorded."""
    known = machine_facts(capabilities(arch))
    return msgspec.structs.replace(known, virt_types=frozenset(virt_types)) if virt_types else known


async def record() -> None:
    """Ask the emulators installed here, and keep their answers."""
    with tempfile.TemporaryDirectory() as directory:
        cache = CapabilitiesCache(Path(directory), LinuxProcesses())
        for arch in ARCHES:
            answer = msgspec.json.encode(await cache.for_arch(arch), order="sorted")
            (RECORDED / f"{arch}.json").write_bytes(msgspec.json.format(answer, indent=1) + b"\n")


if __name__ == "__main__":
    asyncio.run(record())
