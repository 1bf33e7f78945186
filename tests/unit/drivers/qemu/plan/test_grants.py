"""What was acquired takes the place of paths and names on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roost.drivers.qemu import plan
from support import machines, native, plans


def launch(name: str, **granted: Any) -> plan.Launch:
    return plan.argv(plans.document(name), machines.capabilities(), plan.Grants(**granted))


def option(found: plan.Launch, flag: str, mark: str) -> str:
    (value,) = [value for word, value in native.options(found.argv[1:]) if word == flag and mark in value]
    return value


def test_monitor() -> None:
    found = launch("minimal-pc", monitor=31)
    assert option(found, "-chardev", "charmonitor") == "socket,id=charmonitor,fd=31,server=on,wait=off"
    assert found.fds == (31,)
    named = launch("minimal-pc", monitor_path="/run/a,b/monitor")
    assert option(named, "-chardev", "charmonitor") == "socket,id=charmonitor,path=/run/a,,b/monitor,server=on,wait=off"
    assert named.fds == ()


def test_taps() -> None:
    fds: Mapping[str, tuple[int, ...]] = {"net0": (20,), "net1": (21, 22, 23, 24), "net2": (25,)}
    found = launch("interfaces-tap", fds=fds)
    assert option(found, "-netdev", "hostnet0") == '{"fd": "20", "id": "hostnet0", "type": "tap"}'
    assert option(found, "-netdev", "hostnet1") == (
        '{"fds": "21:22:23:24", "id": "hostnet1", "sndbuf": 1600, "type": "tap"}'
    )
    assert found.fds == (20, 21, 22, 23, 24, 25)


def test_tap_names() -> None:
    found = launch("interfaces-tap", names={"net2": "vnet7"})
    assert '"ifname": "vnet7"' in option(found, "-netdev", "hostnet2")


def test_vhost() -> None:
    found = launch("kvm", fds={"net0": (20,), "vhost:net0": (21,)})
    assert option(found, "-netdev", "hostnet0") == (
        '{"fd": "20", "id": "hostnet0", "type": "tap", "vhost": true, "vhostfd": "21"}'
    )


def test_character_devices() -> None:
    found = launch("chardevs", fds={"charserial1": (30,), "charserial2": (31,), "charparallel1": (32,)})
    assert option(found, "-chardev", "charserial2") == "socket,id=charserial2,fd=31,server=on,wait=off"
    assert option(found, "-add-fd", "charserial1") == "set=0,fd=30,opaque=charserial1-source"
    assert option(found, "-chardev", "charserial1") == "file,id=charserial1,path=/dev/fdset/0,append=on"
    assert option(found, "-chardev", "charparallel1") == "file,id=charparallel1,path=/dev/fdset/1,append=on"
    assert found.fds == (30, 31, 32)


def test_logs() -> None:
    found = launch("chardevs-log", fds={"log:charserial0": (30,)})
    assert option(found, "-add-fd", "charserial0") == "set=0,fd=30,opaque=charserial0-log"
    assert option(found, "-chardev", "charserial0") == "pty,id=charserial0,logfile=/dev/fdset/0,logappend=on"


def test_ports() -> None:
    found = launch("vnc-any", ports={"graphics0": 5907, "graphics0.websocket": 5705})
    assert option(found, "-vnc", "").startswith("0.0.0.0:7,websocket=5705,")


def test_clock_that_counts_from_now() -> None:
    assert option(launch("clock-variable", now=86400.0), "-rtc", "") == "base=1970-01-02T01:00:00"


def test_environment() -> None:
    assert launch("commandline").env == {"A": "b c", "EMPTY": ""}
    assert launch("clock-timezone").env == {"TZ": "Europe/Paris"}
