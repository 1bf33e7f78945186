"""What bounds the way of a guest to another host, set and shown by virsh: libvirtd and roostd beside each other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemon import RoostDaemon
from support.peer import Peer, virsh, virsh_ok

pytestmark = [pytest.mark.guest, pytest.mark.peer, pytest.mark.root]

DOCUMENT = """<domain type='qemu'><name>bounded</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>"""

#: %: the guest.
SHUT_OFF = """
migrate-getspeed %
migrate-setspeed % 100
migrate-getspeed %
migrate-setspeed % 8796093022207
migrate-setspeed % 8796093022208
migrate-setspeed % -1
migrate-setspeed % 1 --postcopy
migrate-setspeed % 17592186044416 --postcopy
migrate-getspeed % --postcopy
migrate-setmaxdowntime % 500
migrate-getmaxdowntime %
migrate-compcache %
migrate-compcache % --size 65536
migrate-postcopy %
"""
RUNNING = """
migrate-getspeed %
migrate-setspeed % 200
migrate-getspeed %
migrate-setspeed % 0
migrate-getspeed %
migrate-setspeed % 8796093022208
migrate-setspeed % 55
migrate-setspeed % 300 --postcopy
migrate-getspeed % --postcopy
migrate-setspeed % 17592186044416 --postcopy
migrate-getmaxdowntime %
migrate-setmaxdowntime % 0
migrate-setmaxdowntime % 2000001
migrate-setmaxdowntime % 500
migrate-getmaxdowntime %
migrate-compcache %
migrate-compcache % --size 1000000
migrate-compcache % --size 0
migrate-compcache % --size 65536
migrate-compcache %
migrate-postcopy %
"""
#: What of QEMU's parameters these set.
PARAMETERS = ("downtime-limit", "max-bandwidth", "max-postcopy-bandwidth", "xbzrle-cache-size")


@pytest.fixture
def uris(peer: Peer, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """libvirtd's and ours, each with the guest defined."""
    (tmp_path / "bounded.xml").write_text(DOCUMENT)
    with RoostDaemon() as daemon:
        found = (peer.uri, daemon.uri)
        for uri in found:
            virsh_ok(uri, "define", str(tmp_path / "bounded.xml"))
        try:
            yield found
        finally:
            for uri in found:
                virsh(uri, "destroy", "bounded")
                virsh(uri, "undefine", "bounded")


def compare(uris: tuple[str, str], steps: str) -> None:
    for step in steps.strip().splitlines():
        theirs, ours = (virsh(uri, *step.replace("%", "bounded").split()) for uri in uris)
        assert (step, ours.returncode, ours.stdout) == (step, theirs.returncode, theirs.stdout)
        # Ours may go on with what helps.
        assert ours.stderr.startswith(theirs.stderr.rstrip("\n")), (step, theirs.stderr, ours.stderr)


def test_a_guest_that_is_shut_off(uris: tuple[str, str]) -> None:
    compare(uris, SHUT_OFF)


def test_a_guest_that_runs(uris: tuple[str, str]) -> None:
    for uri in uris:
        virsh_ok(uri, "start", "bounded", "--paused")
    compare(uris, RUNNING)
    asked = '{"execute": "query-migrate-parameters"}'
    answers = [json.loads(virsh_ok(uri, "qemu-monitor-command", "bounded", asked))["return"] for uri in uris]
    theirs, ours = ({name: answer[name] for name in PARAMETERS} for answer in answers)
    assert ours == theirs
    for uri in uris:
        virsh_ok(uri, "destroy", "bounded")
    # The speed outlives the guest, of the rest nothing is left.
    compare(uris, "migrate-getspeed %")
    for uri in uris:
        virsh_ok(uri, "start", "bounded", "--paused")
    compare(uris, "migrate-getspeed %\nmigrate-getmaxdowntime %\nmigrate-compcache %\nmigrate-getspeed % --postcopy")
