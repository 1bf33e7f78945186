"""The peer that other tests compare with, and the test guest under it."""

from __future__ import annotations

import pytest

from support.guests import domain_xml
from support.peer import Peer, libvirt_result, virsh, virsh_ok

pytestmark = [pytest.mark.peer, pytest.mark.guest]


def test_runs_the_test_guest(peer: Peer) -> None:
    name = "support-peer"
    xml = domain_xml(name)
    code = "d = libvirt.open(sys.argv[1]).createXML(sys.argv[2]); print(json.dumps([d.name(), d.isActive()]))"
    assert libvirt_result(code, peer.uri, xml) == [name, 1]
    try:
        assert virsh_ok(peer.uri, "domstate", name) == "running\n"
    finally:
        virsh_ok(peer.uri, "destroy", name)
    assert not virsh(peer.uri, "domstate", name).ok


def test_is_not_the_machines_own(peer: Peer) -> None:
    names = virsh_ok(peer.uri, "list", "--all", "--name")
    assert set(names.split()) <= {"support-peer"}
