"""domxml-to-native and domxml-from-native through virsh, beside libvirtd."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import native, parity
from support.daemon import RoostDaemon
from support.peer import Peer, virsh, virsh_ok

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def daemon() -> Iterator[RoostDaemon]:
    with RoostDaemon() as running:
        yield running


CASES = [str(case) for case in parity.cases("guest/guest-pc", "guest/guest-q35", "disk/cdrom-pc", "small/rng-pc")]


@pytest.mark.parametrize("name", CASES)
def test_same_command_line(name: str, daemon: RoostDaemon, peer: Peer) -> None:
    (case,) = parity.cases(name)
    command = ("domxml-to-native", "qemu-argv", "--xml", str(case.file(".xml")))
    ours, theirs = (native.comparable(native.words_of(virsh_ok(uri, *command))) for uri in (daemon.uri, peer.uri))
    sockets = ("-chardev socket,id=charchannel",)
    assert sorted(line for line in ours if not line.startswith(sockets)) == sorted(
        line for line in theirs if not line.startswith(sockets)
    )


def test_a_command_line_becomes_a_domain(daemon: RoostDaemon, tmp_path: Path) -> None:
    script = tmp_path / "start.sh"
    script.write_text(
        "exec qemu-system-x86_64 -name byhand -m 64 \\\n  -drive file=/images/a.raw,if=virtio,format=raw\n"
    )
    document = tmp_path / "byhand.xml"
    document.write_text(virsh_ok(daemon.uri, "domxml-from-native", "qemu-argv", str(script)))
    virsh_ok(daemon.uri, "define", str(document))
    try:
        assert "<source file='/images/a.raw'/>" in virsh_ok(daemon.uri, "dumpxml", "byhand")
    finally:
        virsh_ok(daemon.uri, "undefine", "byhand")


def test_another_format(daemon: RoostDaemon, peer: Peer) -> None:
    (case,) = parity.cases("small/rng-pc")
    command = ("domxml-to-native", "xen-xl", "--xml", str(case.file(".xml")))
    ours, theirs = (virsh(uri, *command).stderr for uri in (daemon.uri, peer.uri))
    assert ours.startswith(theirs.strip())
