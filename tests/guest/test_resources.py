"""Processors and memory of guests that really run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemon import RoostDaemon
from support.parity import Case
from support.peer import virsh_ok

pytestmark = [pytest.mark.guest, pytest.mark.root]


@pytest.fixture(scope="module")
def daemon() -> Iterator[RoostDaemon]:
    with RoostDaemon() as running:
        yield running


def started(daemon: RoostDaemon, case: Case, directory: Path) -> str:
    """The live document of a guest that is made from one of the corpus, stopped before its first instruction."""
    path = directory / "guest.xml"
    path.write_text(case.written())
    virsh_ok(daemon.uri, "create", "--paused", str(path))
    return virsh_ok(daemon.uri, "dumpxml", f"{case.family}-{case.name}")


def test_processors_are_plugged_in_before_the_first_instruction(daemon: RoostDaemon, tmp_path: Path) -> None:
    case = Case("processors", "list-plugged-at-start")
    started(daemon, case, tmp_path)
    command = json.dumps({"execute": "query-cpus-fast"})
    answer = json.loads(virsh_ok(daemon.uri, "qemu-monitor-command", f"{case.family}-{case.name}", command))
    paths = {each["cpu-index"]: each["qom-path"] for each in answer["return"]}
    assert {number: path.rpartition("/")[2] for number, path in paths.items() if number} == {1: "vcpu1", 2: "vcpu2"}
    assert "current      live           3" in virsh_ok(daemon.uri, "vcpucount", f"{case.family}-{case.name}")


def test_memory_devices_have_their_place(daemon: RoostDaemon, tmp_path: Path) -> None:
    document = started(daemon, Case("memdev", "virtio-mem-and-dimm"), tmp_path)
    assert re.search(r"<address type='dimm' slot='0' base='0x[0-9a-f]+'/>", document)
    assert "<current unit='KiB'>0</current>" in document


def test_memory_from_files_is_gone_with_the_guest(daemon: RoostDaemon, tmp_path: Path) -> None:
    started(daemon, Case("backing", "file-shared-discard"), tmp_path)
    assert list(daemon.root.rglob("pc.ram"))
    virsh_ok(daemon.uri, "destroy", "backing-file-shared-discard")
    assert not list(daemon.root.rglob("pc.ram"))
