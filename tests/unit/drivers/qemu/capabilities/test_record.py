"""The record of capabilities and its cache."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from roost.drivers.qemu.capabilities import Capabilities, CapabilitiesCache
from roost.drivers.qemu.capabilities.record import CpuModel, MachineType
from roost.drivers.qemu.facts import machine_facts
from roost.errors import ConfigUnsupported, InternalError, InvalidArg, SystemCallError
from roost.host.linux.processes import LinuxProcesses

CAPS = Capabilities(
    binary="/usr/bin/qemu & 'co'",
    arch="x86_64",
    version=(7, 2, 22),
    package="",
    accelerators=("tcg",),
    machines=(
        MachineType("pc-1", alias="pc", is_default=True, max_cpus=255, default_cpu="qemu64-x86_64-cpu"),
        MachineType("old", deprecated=True),
    ),
    cpu_models=(
        CpuModel("max"),
        CpuModel("EPYC-v1"),
        CpuModel("EPYC", unavailable=("x",)),
        CpuModel("486", "", ()),
        CpuModel("qemu64", "qemu64-x86_64-cpu"),
    ),
    types=frozenset(("virtio-blk-pci", "VGA", "a.b")),
    properties={"virtio-blk-pci": frozenset(("queue-size",))},
    options=frozenset(("vnc", "sandbox", "sandbox.spawn")),
    commands=frozenset(("blockdev-add",)),
    events=frozenset(("STOP",)),
    schema="",
)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("VGA", True), ("a.b", True), ("qxl", False), ("virtio-blk-pci.queue-size", True), ("VGA.x", False),
        ("command:blockdev-add", True), ("command:x", False), ("event:STOP", True), ("option:sandbox.spawn", True),
        ("option:spice", False), ("audiodev:none", True),
    ],
)  # fmt: skip
def test_has(name: str, known: bool) -> None:
    assert CAPS.has(name) is known


def test_machines_by_name_alias_and_default() -> None:
    assert CAPS.machine("pc") is CAPS.machine("pc-1") is CAPS.machine(None)
    assert CAPS.machine("absent") is None
    assert CAPS.version_number == 7002022


@pytest.mark.parametrize(
    ("arch", "names", "expected"),
    [
        ("aarch64", ("virt", "integratorcp"), "integratorcp"),
        ("riscv64", ("spike", "virt"), "spike"),
        ("x86_64", (), None),
    ],
)
def test_the_machine_meant_where_qemu_has_no_default(arch: str, names: tuple[str, ...], expected: str | None) -> None:
    caps = replace(CAPS, arch=arch, machines=tuple(MachineType(name) for name in names))
    assert (caps.default_machine.name if caps.default_machine else None) == expected


def test_models_by_domain_type() -> None:
    both = replace(CAPS, accelerators=("kvm", "tcg"), tcg_models=(CpuModel("486"),))
    assert both.models_of("kvm") is both.cpu_models
    assert both.models_of("qemu") == (CpuModel("486"),)
    assert CAPS.models_of("qemu") is CAPS.cpu_models


def test_the_models_facts() -> None:
    facts = machine_facts(CAPS)
    assert facts.virt_types == {"qemu"}
    assert facts.default_machine == "pc-1"
    machine = facts.machine("pc")
    assert machine is not None
    assert machine.default_cpu == "qemu64"


def test_what_cannot_be_probed(tmp_path: Path) -> None:
    async def main() -> None:
        cache = CapabilitiesCache(tmp_path / "cache", LinuxProcesses())
        with pytest.raises(SystemCallError, match="Cannot check QEMU binary /no/qemu: No such file"):
            await cache.get("/no/qemu")
        plain = tmp_path / "plain"
        plain.touch()
        with pytest.raises(ConfigUnsupported, match="is not executable"):
            await cache.get(str(plain))
        with pytest.raises(InvalidArg, match="unable to find any emulator to serve 'vax' architecture"):
            await cache.for_arch("vax")
        broken = tmp_path / "broken"
        broken.write_text("#!/bin/sh\necho it is broken >&2\nexit 1\n")
        broken.chmod(0o755)
        with pytest.raises(InternalError, match="Failed to probe QEMU binary with QMP: it is broken"):
            await cache.get(str(broken))

    asyncio.run(main())


@pytest.mark.guest
def test_a_real_binary_is_probed_once(tmp_path: Path) -> None:
    def only_file() -> Path:
        (file,) = tmp_path.iterdir()
        return file

    async def main() -> None:
        first = await CapabilitiesCache(tmp_path, LinuxProcesses()).for_arch(None)
        assert first.version >= (5, 0, 0)
        assert first.machine(None) is not None or first.machines
        assert first.has("command:query-status")
        assert first.has("event:SHUTDOWN")
        file = only_file()
        written = file.stat().st_mtime_ns
        second = await CapabilitiesCache(tmp_path, LinuxProcesses()).for_arch(None)
        assert second == first
        assert file.stat().st_mtime_ns == written
        file.write_bytes(b"{torn")
        os.utime(file, ns=(1, 1))
        third = await CapabilitiesCache(tmp_path, LinuxProcesses()).for_arch(None)
        assert third == first
        assert file.stat().st_mtime_ns > 1

    asyncio.run(main())
