"""Asking a QEMU binary what it can do: one process, one pipelined conversation."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import signal
import socket
from collections.abc import Mapping
from typing import Any

import msgspec

from roost.drivers.qemu.capabilities.record import Capabilities, CpuModel, MachineType
from roost.drivers.qemu.qmp import QmpClient, QmpCommandError
from roost.errors import From, InternalError, RoostError
from roost.host.api import Account, Command, Processes

#: Seconds for the whole conversation.
PROBE_TIMEOUT = 60.0

#: QEMU's target names that libvirt calls otherwise.
ARCH_NAMES = {"i386": "i686", "arm": "armv7l", "or1k": "or32"}

#: Device types whose properties decide how they are spelled on the command line.
_PROPERTY_TYPES = (
    "virtio-blk-pci",
    "virtio-scsi-pci",
    "virtio-net-pci",
    "virtio-balloon-pci",
    "virtio-serial-pci",
    "virtio-rng-pci",
    "virtio-vga",
    "virtio-gpu-pci",
    "virtio-blk-device",
    "virtio-net-device",
    "scsi-hd",
    "scsi-cd",
    "scsi-block",
    "ide-hd",
    "ide-cd",
    "floppy",
    "usb-storage",
    "usb-ehci",
    "nec-usb-xhci",
    "qemu-xhci",
    "pcie-root-port",
    "pci-bridge",
    "VGA",
    "cirrus-vga",
    "qxl-vga",
    "qxl",
    "bochs-display",
    "e1000",
    "rtl8139",
    "isa-serial",
    "isa-debugcon",
    "intel-iommu",
    "ICH9-LPC",
    "PIIX4_PM",
    "memory-backend-file",
    "memory-backend-memfd",
)

_QUERIES: tuple[tuple[str, Mapping[str, Any] | None], ...] = (
    ("query-target", None),
    ("query-kvm", None),
    ("query-machines", None),
    ("query-cpu-definitions", None),
    ("qom-list-types", {"abstract": False}),
    ("query-command-line-options", None),
    ("query-qmp-schema", None),
    *(("device-list-properties", {"typename": name}) for name in _PROPERTY_TYPES),
)


def _argv(binary: str, monitor: int) -> list[str]:
    return [
        binary,
        "-S",
        "-no-user-config",
        "-nodefaults",
        "-nographic",
        "-machine",
        "none,accel=kvm:tcg",
        "-chardev",
        f"socket,id=monitor,fd={monitor}",
        "-mon",
        "chardev=monitor,mode=control",
        "-sandbox",
        "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
    ]


async def probe(binary: str, processes: Processes, account: Account | None) -> Capabilities:
    """Start `binary` without a machine and ask. Raises InternalError with its own words."""
    ours, theirs = socket.socketpair()
    output = os.memfd_create("qemu-probe")
    try:
        with theirs:
            monitor = theirs.fileno()
            # A daemon that is killed now must not leave it behind: nobody would ever find it again.
            process = processes.spawn(
                Command(_argv(binary, monitor), dict(os.environ), output, (monitor,), account, lives_on=False)
            )
    except BaseException:
        ours.close()
        os.close(output)
        raise
    client = QmpClient(ours)
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            greeting = await client.negotiate(PROBE_TIMEOUT)
            answers = await client.batch(_QUERIES, deadline=PROBE_TIMEOUT)
            version = greeting.version
            return _record(binary, version.qemu.major, version.qemu.minor, version.qemu.micro, version.package, answers)
    except (RoostError, TimeoutError, msgspec.ValidationError, KeyError) as error:
        words = os.pread(output, 4096, 0).decode("utf-8", "replace").strip()
        raise InternalError(
            f"Failed to probe QEMU binary with QMP: {words or error}",
            domain=From.QEMU,
            hint=f"try it by hand: {binary} -machine none -nographic",
        ) from error
    finally:
        client.close()
        process.signal(signal.SIGKILL)
        with contextlib.suppress(asyncio.CancelledError):
            await process.wait()
        os.close(output)


def _record(binary: str, major: int, minor: int, micro: int, package: str, answers: list[Any]) -> Capabilities:
    needed = answers[: -len(_PROPERTY_TYPES)]
    for answer in needed:
        if isinstance(answer, QmpCommandError) and answer.command != "query-cpu-definitions":
            raise answer
    target, kvm, machines, cpus, types, options, schema = needed
    accelerators = (("kvm",) if kvm["enabled"] else ()) + (
        ("tcg",) if any(entry["name"] == "tcg-accel" for entry in types) else ()
    )
    arch = target["arch"]
    properties = {
        name: frozenset(entry["name"] for entry in answer)
        for name, answer in zip(_PROPERTY_TYPES, answers[-len(_PROPERTY_TYPES) :], strict=True)
        if not isinstance(answer, QmpCommandError)
    }
    return Capabilities(
        binary=binary,
        arch=ARCH_NAMES.get(arch, arch),
        version=(major, minor, micro),
        package=package,
        accelerators=accelerators,
        machines=tuple(_machine(entry) for entry in machines if entry["name"] != "none"),
        cpu_models=() if isinstance(cpus, QmpCommandError) else tuple(_cpu(entry) for entry in cpus),
        types=frozenset(entry["name"] for entry in types),
        properties=properties,
        options=frozenset(_options(options)),
        commands=frozenset(entry["name"] for entry in schema if entry["meta-type"] == "command"),
        events=frozenset(entry["name"] for entry in schema if entry["meta-type"] == "event"),
        schema=hashlib.sha256(msgspec.json.encode(schema)).hexdigest(),
    )


def _machine(entry: dict[str, Any]) -> MachineType:
    return MachineType(
        name=entry["name"],
        alias=entry.get("alias", ""),
        is_default=entry.get("is-default", False),
        max_cpus=entry["cpu-max"],
        hotpluggable_cpus=entry.get("hotpluggable-cpus", False),
        deprecated=entry.get("deprecated", False),
        default_cpu=entry.get("default-cpu-type", ""),
        default_ram_id=entry.get("default-ram-id"),
        numa_memory=entry.get("numa-mem-supported", False),
    )


def _cpu(entry: dict[str, Any]) -> CpuModel:
    missing = entry.get("unavailable-features")
    return CpuModel(
        name=entry["name"],
        typename=entry.get("typename", ""),
        unavailable=None if missing is None else tuple(missing),
        deprecated=entry.get("deprecated", False),
    )


def _options(entries: list[dict[str, Any]]) -> list[str]:
    found = []
    for entry in entries:
        found.append(entry["option"])
        found.extend(f"{entry['option']}.{parameter['name']}" for parameter in entry["parameters"])
    return found
