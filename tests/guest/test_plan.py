"""Every kept document comes up in the QEMU installed here: stopped before its first instruction, and answering."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from roost.drivers.qemu import plan
from roost.drivers.qemu.capabilities import Capabilities, CapabilitiesCache
from roost.host.linux.network import LinuxNetwork
from roost.host.linux.processes import LinuxProcesses
from roost.model.domain import Domain
from roost.model.domain.devices.disk import Disk
from roost.model.domain.features import Features
from support import plans

QEMU = "/usr/bin/qemu-system-x86_64"
SECONDS = 60.0
pytestmark = pytest.mark.guest

#: The least that QEMU takes for a kernel, and for firmware: the numbers of Linux's boot header, and the size of a ROM.
KERNEL = (bytes(0x1F1) + b"\1" + bytes(12) + b"\x55\xaa" + bytes(2) + b"HdrS\x02\x02").ljust(0x10000, b"\0")

#: Documents that cannot start here, and why.
NOT_HERE = {
    "chardevs-dev": "names serial and parallel ports of the host",
    "cpu-hyperv": "enlightenments need KVM",
    "disk-block": "names an optical drive of the host",
    "disk-lun": "names a SCSI device of the host",
    "interfaces-socket": "the peer of a datagram socket must have a port",
    "kvm": "guests hang under nested KVM here",
    "acpi-tables": "names ACPI tables, which QEMU reads",
    "tpm-external": "names a running swtpm",
    "vsock": "hosts without vhost_vsock have none",
}


@pytest.fixture(scope="module")
def caps(tmp_path_factory: pytest.TempPathFactory) -> Capabilities:
    cache = CapabilitiesCache(tmp_path_factory.mktemp("capabilities"), LinuxProcesses())
    return asyncio.run(cache.get(QEMU))


@pytest.fixture
def directory() -> Iterator[Path]:
    # Socket paths are short; pytest's own directories are not.
    with tempfile.TemporaryDirectory(prefix="roost-plan-", dir="/tmp") as path:
        (Path(path) / "channel").mkdir()
        yield Path(path)


def prepare_files(needs: plan.Needs, launch: plan.Launch, directory: Path) -> None:
    """The files a document names, with the formats its block nodes expect."""
    nodes = [json.loads(word) for word in launch.argv if word.startswith('{"') and '"node-name"' in word]
    files = {node["node-name"]: node["filename"] for node in nodes if "filename" in node}
    formats = {files[node["file"]]: node["driver"] for node in nodes if node.get("file") in files}
    for file in needs.files:
        if not file.path.startswith("/golden/"):
            continue
        path = directory / file.path.removeprefix("/golden/")
        if file.kind == "directory":
            path.mkdir(exist_ok=True)
        elif file.kind == "kernel":
            path.write_bytes(KERNEL)
        else:
            kind = formats.get(file.path, "raw")
            subprocess.run(["qemu-img", "create", "-q", "-f", kind, str(path), "1474560"], check=True)


def acquire(needs: plan.Needs, directory: Path, stack: contextlib.ExitStack) -> dict[str, tuple[int, ...]]:
    """The descriptors a host would grant, for as long as `stack` is open."""
    fds: dict[str, tuple[int, ...]] = {}

    def keep(key: str, *descriptors: int) -> None:
        fds[key] = descriptors
        for descriptor in descriptors:
            stack.callback(os.close, descriptor)

    for listener in needs.listeners:
        server = socket.socket(socket.AF_UNIX)
        server.bind(listener.path.replace("/golden", str(directory)))
        server.listen()
        keep(listener.key, server.detach())
    for log in needs.logs:
        keep(log.key, os.open(log.path.replace("/golden", str(directory)), os.O_WRONLY | os.O_CREAT, 0o600))
    for number, tap in enumerate(needs.taps):
        made = LinuxNetwork().tap(
            f"rp{os.getpid() % 100000}-{number}", mac=tap.mac, bridge=None, queues=tap.queues, headers=tap.vnet_hdr
        )
        keep(tap.key, *made.descriptors)
    return fds


def free_ports(needs: plan.Needs) -> dict[str, int]:
    ports = {}
    for port in needs.ports:
        with socket.socket(socket.AF_INET6 if ":" in port.address else socket.AF_INET) as probe:
            probe.bind((port.address, 0))
            ports[port.key] = probe.getsockname()[1]
    return ports


def ask(directory: Path, *commands: plan.Command) -> list[Any]:
    """The answers to QMP commands, all of which must succeed; removals are waited for."""
    answers = []
    with socket.socket(socket.AF_UNIX) as client, client.makefile("rb") as stream:
        client.settimeout(SECONDS)
        client.connect(str(directory / "monitor"))
        stream.readline()
        for command in (plan.Command("qmp_capabilities", {}), *commands):
            line = json.dumps({"execute": command.name, "arguments": command.arguments}).encode() + b"\n"
            socket.send_fds(client, [line], [] if command.descriptor is None else [command.descriptor])
            wanted = {"return", "DEVICE_DELETED"} if command.name == "device_del" else {"return"}
            while wanted:
                answer = json.loads(stream.readline() or b'{"error": "closed"}')
                assert "error" not in answer, f"{command}: {answer}"
                wanted.discard(answer.get("event", "return"))
                if "return" in answer:
                    answers.append(answer["return"])
    return answers[1:]


def local(word: str, directory: Path) -> str:
    """A word with its paths below `directory`, and any free TCP port in place of a fixed one."""
    return re.sub(r"\b(port|localport)=1\d{4}\b", r"\1=0", word.replace("/golden", str(directory)))


@contextlib.contextmanager
def running(domain: Domain, caps: Capabilities, directory: Path) -> Iterator[None]:
    """A QEMU started from a document's command line, its monitor at `directory`/monitor."""
    needs = plan.needs(domain, caps)
    if needs.taps and os.geteuid() != 0:
        pytest.skip("tap interfaces need root")
    prepare_files(needs, plan.argv(domain, caps, plan.Grants()), directory)
    with contextlib.ExitStack() as stack:
        monitor = stack.enter_context(socket.socket(socket.AF_UNIX))
        monitor.bind(str(directory / "monitor"))
        monitor.listen()
        fds = acquire(needs, directory, stack)
        grants = plan.Grants(monitor=monitor.fileno(), fds=fds, ports=free_ports(needs))
        launch = plan.argv(domain, caps, grants)
        output = stack.enter_context((directory / "output").open("wb"))
        process = subprocess.Popen(
            [local(word, directory) for word in launch.argv],
            env={**os.environ, **launch.env},
            pass_fds=launch.fds,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            yield
        except (AssertionError, OSError) as error:
            raise AssertionError(f"{error}\n{(directory / 'output').read_text()}") from error
        finally:
            process.kill()
            process.wait()


QUERY_STATUS, QUERY_BLOCK = plan.Command("query-status", {}), plan.Command("query-block", {})


@pytest.mark.parametrize("name", [name for name in plans.names() if name not in NOT_HERE])
def test_comes_up(name: str, caps: Capabilities, directory: Path) -> None:
    domain = plans.document(name)
    wants_qxl = any(video.model is not None and video.model.type == "qxl" for video in domain.devices.videos)
    if wants_qxl and "qxl-vga" not in caps.types:
        pytest.skip("this QEMU is built without qxl")
    with running(domain, caps, directory):
        status, drives, *_ = ask(
            directory, QUERY_STATUS, QUERY_BLOCK, *plan.settings(domain, caps), *plan.passwords(domain, {})
        )
    assert status["status"] == "prelaunch"
    # The board's flash is a drive to QEMU too.
    disks = [drive for drive in drives if drive.get("qdev") and "system.flash" not in drive["qdev"]]
    assert len(disks) == len(domain.devices.disks)


#: Documents, and the list of their devices that is added while the guest runs.
PLUGGED = [
    ("disk-chain", "disks"),
    ("disk-options", "disks"),
    ("typical", "rngs"),
    ("typical", "interfaces"),
    ("rng", "rngs"),
    ("interfaces-tap", "interfaces"),
    ("inputs", "inputs"),
]
#: Buses whose disks only a start can bring.
COLD = frozenset(("ide", "sata", "fdc"))


@pytest.mark.parametrize(("name", "field"), PLUGGED)
def test_devices_are_added(name: str, field: str, caps: Capabilities, directory: Path) -> None:
    # Without ACPI a conventional bus takes no devices.
    whole = msgspec.structs.replace(plans.document(name), features=Features(acpi=True))
    devices = getattr(whole.devices, field)
    stay = tuple(device for device in devices if isinstance(device, Disk) and device.target.bus in COLD)
    start = msgspec.structs.replace(whole, devices=msgspec.structs.replace(whole.devices, **{field: stay}))
    before, after = plan.needs(start, caps), plan.needs(whole, caps)
    more = after._replace(
        taps=tuple(tap for tap in after.taps if tap not in before.taps),
        listeners=tuple(listener for listener in after.listeners if listener not in before.listeners),
        files=tuple(file for file in after.files if file not in before.files),
        logs=(),
    )
    prepare_files(more, plan.argv(whole, caps, plan.Grants()), directory)
    with running(start, caps, directory), contextlib.ExitStack() as stack:
        granted = acquire(more, directory, stack)
        commands = [
            command
            for device in devices
            if device not in stay
            for command in plan.device_add(device, whole, caps, plan.Grants(fds=granted))
        ]
        ask(directory, *(localised(command, directory) for command in commands))


def localised(command: plan.Command, directory: Path) -> plan.Command:
    return command._replace(arguments=json.loads(local(json.dumps(command.arguments), directory)))


def test_devices_are_taken_back(caps: Capabilities, directory: Path) -> None:
    whole = plans.document("typical")
    (channel,) = whole.devices.channels
    start = msgspec.structs.replace(whole, devices=msgspec.structs.replace(whole.devices, channels=()))
    chardevs = plan.Command("query-chardev", {})
    with running(start, caps, directory), contextlib.ExitStack() as stack:
        granted = acquire(plan.Needs(listeners=plan.needs(whole, caps).listeners), directory, stack)
        commands = plan.device_add(channel, whole, caps, plan.Grants(fds=granted))
        before, *_, between = ask(directory, chardevs, *commands, chardevs)
        # The named descriptor is QEMU's once a character device has it.
        back = [command for command in plan.undo(commands) if command.name != "closefd"]
        *_, after = ask(directory, *back, chardevs)
    assert len(between) == len(before) + 1
    assert after == before
