"""Ports, sockets and tap interfaces."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from roost.errors import InternalError, OperationFailed, SystemCallError
from roost.host.linux.network import LinuxNetwork


def test_a_port_is_claimed_once_and_can_be_listened_on() -> None:
    network = LinuxNetwork()
    first = network.claim_port(45900, 46100)
    second = network.claim_port(45900, 46100)
    assert first != second
    # Another daemon's attempt fails while QEMU is not up yet …
    other = LinuxNetwork()
    third = other.claim_port(first, 46100)
    other.release_port(third)
    assert third not in (first, second)
    # … and QEMU's own, which asks for reuse as it does, succeeds.
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", first))
        listener.listen()
        network.settle_port(first)
        with pytest.raises(InternalError, match=f"Unable to find an unused port in range '{first}-{first}'"):
            LinuxNetwork().claim_port(first, first)
    network.release_port(first)
    network.release_port(second)
    assert network.claim_port(second, second) == second
    network.release_port(second)


def test_a_port_chosen_by_hand() -> None:
    network = LinuxNetwork()
    assert network.hold_port(46201)
    assert not network.hold_port(46201)
    network.release_port(46201)
    assert network.hold_port(46201)


def test_a_listening_socket_replaces_what_was_there(tmp_path: Path) -> None:
    network, path = LinuxNetwork(), tmp_path / "socket"
    network.listen(path).close()
    with network.listen(path), socket.socket(socket.AF_UNIX) as client:
        assert path.stat().st_mode & 0o777 == 0o600
        client.connect(str(path))
    with pytest.raises(SystemCallError, match="Unable to listen on socket"):
        network.listen(tmp_path / "missing" / "socket")
    with pytest.raises(SystemCallError, match="at most 107 bytes"):
        network.listen(tmp_path / ("x" * 120))


@pytest.mark.root
@pytest.mark.skipif(not os.path.exists("/dev/net/tun"), reason="no /dev/net/tun")
def test_a_tap_interface() -> None:
    network = LinuxNetwork()
    tap = network.tap("", mac="52:54:00:12:34:56", bridge=None, mtu=1400)
    base = Path("/sys/class/net") / tap.name
    try:
        assert (base / "address").read_text().strip() == "fe:54:00:12:34:56"
        assert (base / "mtu").read_text().strip() == "1400"
        assert int((base / "flags").read_text(), 16) & 1
        assert len(network.counters(tap.name)) == 8
    finally:
        for descriptor in tap.descriptors:
            os.close(descriptor)
    assert not base.exists()
    with pytest.raises(SystemCallError, match="cannot read counters"):
        network.counters(tap.name)


@pytest.mark.root
@pytest.mark.skipif(not os.path.exists("/dev/net/tun"), reason="no /dev/net/tun")
def test_several_queues_and_a_bridge_that_is_missing() -> None:
    network = LinuxNetwork()
    tap = network.tap("roosttap%d", mac="52:54:00:12:34:57", bridge=None, queues=2)
    for descriptor in tap.descriptors:
        os.close(descriptor)
    assert len(tap.descriptors) == 2
    with pytest.raises(SystemCallError, match="there is no bridge 'roostnobr' on this host"):
        network.tap("", mac="52:54:00:12:34:58", bridge="roostnobr")
    with pytest.raises(OperationFailed, match="longer than 15 characters"):
        network.tap("a-name-that-is-too-long", mac="52:54:00:12:34:58", bridge=None)
