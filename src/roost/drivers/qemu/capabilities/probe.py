"""Asking a QEMU binary what it can do: one process, one pipelined conversation."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from roost.drivers.qemu.capabilities.record import (
    Capabilities,
    CpuModel,
    GicVersion,
    HostModel,
    MachineType,
    SevFacts,
    SgxFacts,
)
from roost.drivers.qemu.qmp import QmpClient, QmpCommandError
from roost.drivers.qemu.qmp.messages import VersionInfo
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
    "amd-iommu",
    "virtio-iommu-pci",
    "ICH9-LPC",
    "PIIX4_PM",
    "memory-backend-file",
    "memory-backend-memfd",
)

#: What is thrown away of answers kept on disk when more is asked than before.
EDITION = 3

Question = tuple[str, Mapping[str, Any] | None]

#: Asked of every binary, and answered by it.
_NEEDED: tuple[Question, ...] = (
    ("query-target", None),
    ("query-kvm", None),
    ("query-machines", None),
    ("qom-list-types", {"abstract": False}),
    ("query-command-line-options", None),
    ("query-qmp-schema", None),
)
#: Asked of every binary; many do not know what is meant.
_PROCESSORS: tuple[Question, ...] = (
    ("query-cpu-definitions", None),
    *(
        ("query-cpu-model-expansion", {"type": kind, "model": {"name": name, "props": props}})
        for name, kind, props in (
            ("max", "static", {"migratable": True}),
            ("max", "static", {"migratable": False}),
            ("host", "static", {"migratable": True}),
            ("host", "static", {"migratable": False}),
            ("host", "full", {"migratable": False, "hv-passthrough": True}),
        )
    ),
)
_OPTIONAL: tuple[Question, ...] = (
    ("query-sev-capabilities", None),
    ("query-sgx-capabilities", None),
    ("query-gic-capabilities", None),
    *(("device-list-properties", {"typename": name}) for name in _PROPERTY_TYPES),
)
_PREFIX_HYPERV = "hv-"


def _argv(binary: str, monitor: int, accelerators: str) -> list[str]:
    return [
        binary,
        "-S",
        "-no-user-config",
        "-nodefaults",
        "-nographic",
        "-machine",
        f"none,accel={accelerators}",
        "-chardev",
        f"socket,id=monitor,fd={monitor}",
        "-mon",
        "chardev=monitor,mode=control",
        "-sandbox",
        "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
    ]


async def probe(binary: str, processes: Processes, account: Account | None) -> Capabilities:
    """Start `binary` without a machine and ask. Raises InternalError with its own words."""
    version, answers = await _ask(binary, "kvm:tcg", (*_NEEDED, *_PROCESSORS, *_OPTIONAL), processes, account)
    caps = _record(binary, version, answers)
    if "kvm" in caps.accelerators and "tcg" in caps.accelerators:
        # What a processor can have depends on who provides it, and one process has one accelerator.
        _, emulated = await _ask(binary, "tcg", _PROCESSORS, processes, account)
        models, host_models = _processors(emulated, kvm=False)
        caps = msgspec.structs.replace(caps, tcg_models=models, host_models={**caps.host_models, **host_models})
    return caps


async def _ask(
    binary: str, accelerators: str, questions: Sequence[Question], processes: Processes, account: Account | None
) -> tuple[VersionInfo, list[Any]]:
    ours, theirs = socket.socketpair()
    output = os.memfd_create("qemu-probe")
    try:
        with theirs:
            monitor = theirs.fileno()
            argv = _argv(binary, monitor, accelerators)
            # A daemon that is killed now must not leave it behind: nobody would ever find it again.
            command = Command(argv, dict(os.environ), output, (monitor,), account, lives_on=False)
            process = await processes.start(command)
    except BaseException:
        ours.close()
        os.close(output)
        raise
    client = QmpClient(ours)
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            greeting = await client.negotiate(PROBE_TIMEOUT)
            answers = await client.batch(questions, deadline=PROBE_TIMEOUT)
            for question, answer in zip(questions, answers, strict=True):
                if isinstance(answer, QmpCommandError) and question in _NEEDED:
                    raise answer
            return greeting.version, answers
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


def _record(binary: str, version: VersionInfo, answers: list[Any]) -> Capabilities:
    needed, rest = answers[: len(_NEEDED)], answers[len(_NEEDED) :]
    processors, (sev, sgx, gic, *listed) = rest[: len(_PROCESSORS)], rest[len(_PROCESSORS) :]
    target, kvm, machines, types, options, schema = needed
    accelerators = (("kvm",) if kvm["enabled"] else ()) + (
        ("tcg",) if any(entry["name"] == "tcg-accel" for entry in types) else ()
    )
    arch = target["arch"]
    properties = {
        name: frozenset(entry["name"] for entry in answer)
        for name, answer in zip(_PROPERTY_TYPES, listed, strict=True)
        if not isinstance(answer, QmpCommandError)
    }
    models, host_models = _processors(processors, kvm=kvm["enabled"])
    return Capabilities(
        binary=binary,
        arch=ARCH_NAMES.get(arch, arch),
        version=(version.qemu.major, version.qemu.minor, version.qemu.micro),
        package=version.package,
        accelerators=accelerators,
        machines=tuple(_machine(entry) for entry in machines if entry["name"] != "none"),
        cpu_models=models,
        types=frozenset(entry["name"] for entry in types),
        properties=properties,
        options=frozenset(_options(options)),
        commands=frozenset(entry["name"] for entry in schema if entry["meta-type"] == "command"),
        events=frozenset(entry["name"] for entry in schema if entry["meta-type"] == "event"),
        schema=hashlib.sha256(msgspec.json.encode(schema)).hexdigest(),
        displays=frozenset(_members(schema, "query-display-options", "type")),
        host_models=host_models,
        sev=_sev(sev),
        sgx=_sgx(sgx),
        gic=() if isinstance(gic, QmpCommandError) else tuple(GicVersion(**entry) for entry in gic),
    )


def _processors(answers: list[Any], *, kvm: bool) -> tuple[tuple[CpuModel, ...], dict[str, HostModel]]:
    """The models, and the best processor by domain type."""
    definitions, *expansions = answers
    migratable, other, full = (*expansions[:2], None) if not kvm else expansions[2:]
    models = () if isinstance(definitions, QmpCommandError) else tuple(_cpu(entry) for entry in definitions)
    if isinstance(migratable, QmpCommandError) or isinstance(other, QmpCommandError):
        return models, {}
    return models, {"kvm" if kvm else "qemu": _host_model(migratable, other, full)}


def _host_model(migratable: dict[str, Any], other: dict[str, Any], full: Any) -> HostModel:
    props, unbound = migratable["model"]["props"], other["model"]["props"]
    switches = {name: value for name, value in props.items() if isinstance(value, bool)}
    on = frozenset(name for name, value in switches.items() if value)
    unmigratable = frozenset(name for name in switches if unbound.get(name) is True) - on
    hyperv = None
    if isinstance(full, dict):
        told = full["model"]["props"]
        hyperv = frozenset(name for name, value in told.items() if name.startswith(_PREFIX_HYPERV) and value is True)
    return HostModel(
        on=on,
        unmigratable=unmigratable,
        off=frozenset(switches) - on - unmigratable,
        vendor=props.get("vendor", ""),
        family=props.get("family", 0),
        model=props.get("model", 0),
        stepping=props.get("stepping", 0),
        hyperv=hyperv,
    )


def _sev(answer: Any) -> SevFacts | None:
    if isinstance(answer, QmpCommandError):
        return None
    return SevFacts(answer["cbitpos"], answer["reduced-phys-bits"], answer.get("cpu0-id", ""))


def _sgx(answer: Any) -> SgxFacts | None:
    if isinstance(answer, QmpCommandError) or not answer.get("sgx"):
        return None
    sections = tuple((entry["node"], entry["size"]) for entry in answer.get("sections", ()))
    return SgxFacts(answer["flc"], answer["sgx1"], answer["sgx2"], sections)


def _members(schema: list[dict[str, Any]], command: str, member: str) -> Iterator[str]:
    """The values of an enum: `member` of what `command` answers."""
    entries = {entry["name"]: entry for entry in schema}
    result = entries[entries[command]["ret-type"]] if command in entries else {}
    for each in result.get("members", ()):
        if each["name"] == member:
            enum = entries[each["type"]]
            yield from enum.get("values", ())


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
