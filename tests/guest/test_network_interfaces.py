"""Interfaces of a running guest on a real bridge, and alone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemon import RoostDaemon
from support.peer import virsh, virsh_ok

pytestmark = [pytest.mark.guest, pytest.mark.root]

BRIDGE, TAP = f"rtb{os.getpid()}", f"rte{os.getpid()}"
XML = f"""<domain type='qemu'><name>wired</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
<interface type='bridge'><source bridge='{BRIDGE}'/><model type='virtio'/></interface>
<interface type='ethernet'><target dev='{TAP}'/></interface></devices></domain>"""


@pytest.fixture
def bridge() -> Iterator[Path]:
    made = subprocess.run(["ip", "link", "add", BRIDGE, "type", "bridge"], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"a bridge cannot be made here: {made.stderr.strip()}")
    yield Path("/sys/class/net") / BRIDGE
    subprocess.run(["ip", "link", "delete", BRIDGE], check=True)


def test_taps_live_as_long_as_the_guest(bridge: Path, tmp_path: Path) -> None:
    document = tmp_path / "wired.xml"
    document.write_text(XML)
    with RoostDaemon() as daemon:
        virsh_ok(daemon.uri, "create", str(document))
        (tap,) = [port.name for port in (bridge / "brif").iterdir()]
        rows = virsh_ok(daemon.uri, "domiflist", "wired").split("\n")
        assert [row.split()[:3] for row in rows if row.split()] == [[tap, "bridge", BRIDGE], [TAP, "ethernet", "-"]]
        assert "rx_bytes" in virsh_ok(daemon.uri, "domifstat", "wired", tap)
        daemon.restart()
        virsh_ok(daemon.uri, "destroy", "wired")
        assert not (bridge.parent / tap).exists()
        assert not (bridge.parent / TAP).exists()


def test_a_bridge_that_is_missing_is_named(tmp_path: Path) -> None:
    document = tmp_path / "wired.xml"
    document.write_text(XML.replace(BRIDGE, "rtb-none"))
    with RoostDaemon() as daemon:
        refused = virsh(daemon.uri, "create", str(document))
        assert "there is no bridge 'rtb-none' on this host" in refused.stderr
        assert not (Path("/sys/class/net") / TAP).exists()
        assert daemon.guest_pids() == []
