"""Statistics of one guest under both daemons: the same fields of the same types in the same order."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roost.client.blocking import Client
from roost.constants import domain as D
from roost.constants import statistics as S
from support.daemon import RoostDaemon
from support.guests import domain_xml
from support.peer import Peer

pytestmark = [pytest.mark.guest, pytest.mark.root, pytest.mark.peer]

UUIDS = {"st-live": "57a75000-0000-4000-8000-000000000001", "st-rest": "57a75000-0000-4000-8000-000000000002"}

#: Fields whose values do not depend on when they are asked for.
_SAME = frozenset((
    "state.state", "block.count", "vcpu.current", "vcpu.maximum", "balloon.maximum", "net.count",
    "block.0.capacity", "block.1.capacity", "block.1.name", "block.1.path",
))  # fmt: skip


@pytest.fixture(scope="module")
def roostd() -> Iterator[RoostDaemon]:
    with RoostDaemon() as daemon:
        yield daemon


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that guests may enter, too."""
    made = Path(tempfile.mkdtemp(prefix="roost-stats-", dir="/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def documents(directory: Path) -> list[str]:
    """Two domains with a raw disk, a chain of images, an empty drive, an interface of the host's and I/O threads."""
    base, top, raw = (directory / name for name in ("base.qcow2", "top.qcow2", "raw.img"))
    for words in ((base, "8M"), ("-b", base, "-F", "qcow2", top)):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *map(str, words)], check=True)
    raw.write_bytes(bytes(1 << 20))
    for path in (base, top, raw):
        path.chmod(0o666)
    devices = (
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{top}'/>"
        "<target dev='vdb' bus='virtio'/></disk><disk type='file' device='cdrom'><target dev='sdc' bus='sata'/></disk>"
    )
    interface = "<interface type='ethernet'><target dev='{0}'/><model type='virtio'/></interface>"
    return [
        domain_xml(name, uuid_=uuid, vcpus=2, disks=(raw,), devices=devices, interfaces=interface.format(f"st{number}"))
        .replace("<vcpu>2</vcpu>", "<vcpu current='2'>3</vcpu><iothreads>2</iothreads>")
        for number, (name, uuid) in enumerate(UUIDS.items())
    ]  # fmt: skip


def answers(uri: str, texts: list[str]) -> dict[str, Any]:
    """Names and types of all fields by domain, and what each question is answered with."""
    client = Client.open(uri)
    try:
        live = client.call("DOMAIN_CREATE_XML", texts[0], D.START_PAUSED)[0]
        rest = client.call("DOMAIN_DEFINE_XML_FLAGS", texts[1], 0)[0]
        try:
            ask = "CONNECT_GET_ALL_DOMAIN_STATS"
            found: dict[str, Any] = {}
            for title, groups, flags in (
                ("all", 0, 0), ("backing", S.BLOCK, S.STATS_BACKING), ("nowait", S.STATE | S.VCPU, S.STATS_NOWAIT),
                ("beyond", 1 << 20, 0), ("active", S.STATE, S.STATS_ACTIVE), ("perf", S.PERF | S.MEMORY | S.VM, 0),
            ):  # fmt: skip
                records = client.call(ask, [live, rest], groups, flags)[0]
                found[title] = {
                    domain.name: [(param.field, param.value[0]) for param in params] for domain, params in records
                }
                if title == "all":
                    found["values"] = {
                        domain.name: [(param.field, param.value[1]) for param in params if param.field in _SAME]
                        for domain, params in records
                    }
            found["memory"] = [tag for tag, _ in client.call("DOMAIN_MEMORY_STATS", live, S.MEMORY_STAT_NR, 0)[0]]
            found["interface"] = len(client.call("DOMAIN_INTERFACE_STATS", live, "st0"))
            return found
        finally:
            client.call("DOMAIN_DESTROY", live)
            client.call("DOMAIN_UNDEFINE", rest)
    finally:
        client.close()


def test_fields_and_types(peer: Peer, roostd: RoostDaemon, place: Path) -> None:
    if shutil.which("qemu-img") is None:
        pytest.skip("qemu-img is not installed")
    texts = documents(place)
    theirs, ours = answers(peer.uri, texts), answers(roostd.uri, texts)
    # Of a stopped domain, libvirtd counts its own processor time.
    theirs["all"]["st-rest"] = [each for each in theirs["all"]["st-rest"] if not each[0].startswith("cpu.")]
    for title in theirs:
        assert ours[title] == theirs[title], title
    assert len(ours["all"]["st-live"]) > 60
