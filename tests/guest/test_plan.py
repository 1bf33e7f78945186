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

import pytest

from roost.drivers.qemu import plan
from roost.drivers.qemu.capabilities import Capabilities, CapabilitiesCache
from roost.host.linux.network import LinuxNetwork
from roost.host.linux.processes import LinuxProcesses
from support import plans

QEMU = "/usr/bin/qemu-system-x86_64"
SECONDS = 60.0
pytestmark = pytest.mark.guest

#: The least that QEMU takes for a kernel: the magic numbers and the version of Linux's boot header.
KERNEL = bytes(0x1F1) + b"\1" + bytes(12) + b"\x55\xaa" + bytes(2) + b"HdrS\x02\x02" + bytes(0x8000)

#: Documents that cannot start here, and why.
NOT_HERE = {
    "chardevs-dev": "names serial and parallel ports of the host",
    "cpu-hyperv": "enlightenments need KVM",
    "disk-block": "names an optical drive of the host",
    "firmware-bios": "needs a firmware image of the right size",
    "interfaces-socket": "the peer of a datagram socket must have a port",
    "kvm": "guests hang under nested KVM here",
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
        if file.kind == "kernel":
            path.write_bytes(KERNEL)
        else:
            kind = formats.get(file.path, "raw")
            subprocess.run(["qemu-img", "create", "-q", "-f", kind, str(path), "1474560"], check=True)


def acquire(needs: plan.Needs, directory: Path, stack: contextlib.ExitStack) -> plan.Grants:
    """What a host would grant, for as long as `stack` is open."""
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
    monitor = socket.socket(socket.AF_UNIX)
    monitor.bind(str(directory / "monitor"))
    monitor.listen()
    stack.callback(monitor.close)
    ports = {}
    for port in needs.ports:
        with socket.socket(socket.AF_INET6 if ":" in port.address else socket.AF_INET) as probe:
            probe.bind((port.address, 0))
            chosen = probe.getsockname()[1]
        ports[port.key] = max(chosen, 5900)
    return plan.Grants(monitor=monitor.fileno(), fds=fds, ports=ports)


def ask(directory: Path, *commands: str) -> list[Any]:
    """The answers to QMP commands without arguments."""
    answers = []
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(SECONDS)
        client.connect(str(directory / "monitor"))
        stream = client.makefile("rwb")
        stream.readline()
        for command in ("qmp_capabilities", *commands):
            stream.write(json.dumps({"execute": command}).encode() + b"\n")
            stream.flush()
            while "event" in (answer := json.loads(stream.readline() or b'{"error": "closed"}')):
                pass
            assert "error" not in answer, answer
            answers.append(answer["return"])
    return answers[1:]


def local(word: str, directory: Path) -> str:
    """A word with its paths below `directory`, and any free TCP port in place of a fixed one."""
    return re.sub(r"\b(port|localport)=1\d{4}\b", r"\1=0", word.replace("/golden", str(directory)))


@pytest.mark.parametrize("name", [name for name in plans.names() if name not in NOT_HERE])
def test_comes_up(name: str, caps: Capabilities, directory: Path) -> None:
    domain = plans.document(name)
    if plan.needs(domain, caps).taps and os.geteuid() != 0:
        pytest.skip("tap interfaces need root")
    needs = plan.needs(domain, caps)
    prepare_files(needs, plan.argv(domain, caps, plan.Grants()), directory)
    with contextlib.ExitStack() as stack:
        launch = plan.argv(domain, caps, acquire(needs, directory, stack))
        argv = [local(word, directory) for word in launch.argv]
        errors = stack.enter_context((directory / "stderr").open("w+b"))
        process = subprocess.Popen(
            argv,
            env={**os.environ, **launch.env},
            pass_fds=launch.fds,
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
        )
        try:
            status, devices = ask(directory, "query-status", "query-block")
        except (AssertionError, OSError) as error:
            process.kill()
            process.wait()
            pytest.fail(f"{error}\n{(directory / 'stderr').read_text()}")
        finally:
            process.kill()
            process.wait()
    assert status["status"] == "prelaunch"
    assert len([drive for drive in devices if drive.get("qdev")]) == len(domain.devices.disks)
