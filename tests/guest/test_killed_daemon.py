"""A daemon killed at any moment loses no acknowledged definition and no guest.

Clients define, start, destroy and undefine as fast as they can; the daemon is
killed with SIGKILL at random moments and started again. After each time, what
clients were told must be true: the last acknowledged operation on a name, or
the one that was under way when the daemon died.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from support.daemon import RoostDaemon
from support.peer import BINDING_PYTHON, has_binding, libvirt_result

pytestmark = [pytest.mark.guest, pytest.mark.root]

WORKERS = 3
NAMES_PER_WORKER = 4
KILLS = 100 if os.environ.get("ROOST_SOAK") else 6

# Prints "try OPERATION NAME" before and "ok OPERATION NAME" after each call; ends when the daemon is gone.
LOAD = """
import random, sys, libvirt
libvirt.registerErrorHandler(lambda *_: None, None)
uri, seed, names = sys.argv[1], sys.argv[2], sys.argv[3:]
choice = random.Random(seed)
XML = '''<domain type='qemu'><name>%s</name><memory unit='MiB'>32</memory><os><type machine='pc'>hvm</type></os>
<devices><serial type='pty'/></devices></domain>'''
OPERATIONS = {
    "define": lambda conn, name: conn.defineXML(XML % name),
    "start": lambda conn, name: conn.lookupByName(name).createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED),
    "destroy": lambda conn, name: conn.lookupByName(name).destroy(),
    "undefine": lambda conn, name: conn.lookupByName(name).undefine(),
}
conn = libvirt.open(uri)
while True:
    name, operation = choice.choice(names), choice.choice(["define", "start", "start", "destroy", "undefine"])
    print("try", operation, name, flush=True)
    try:
        OPERATIONS[operation](conn, name)
    except libvirt.libvirtError as error:
        if error.get_error_domain() in (libvirt.VIR_FROM_RPC, libvirt.VIR_FROM_REMOTE) or not conn.isAlive():
            sys.exit(0)
        print("no", operation, name, error.get_error_code(), flush=True)
    else:
        print("ok", operation, name, flush=True)
"""

LOOK = """
import json, sys
conn = libvirt.open(sys.argv[1])
print(json.dumps({d.name(): [bool(d.isPersistent()), bool(d.isActive())] for d in conn.listAllDomains()}))
"""

MANAGE = """
import json, sys
conn = libvirt.open(sys.argv[1])
for domain in conn.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
    domain.resume()
    domain.suspend()
    assert domain.state()[0] == libvirt.VIR_DOMAIN_PAUSED, domain.name()
    domain.XMLDesc()
print(json.dumps(True))
"""


class Truth(NamedTuple):
    """What a name is known to be."""

    persistent: bool
    active: bool


def after(truth: Truth, operation: str) -> Truth:
    """The state that a successful operation leaves."""
    match operation:
        case "define":
            return truth._replace(persistent=True)
        case "start":
            return truth._replace(active=True)
        case "destroy":
            return truth._replace(active=False)
        case _:
            return truth._replace(persistent=False)


NOTHING = Truth(False, False)


def possible(before: Truth, lines: list[str]) -> set[Truth]:
    """What one name may be after a client said these lines about it."""
    truth, under_way = before, None
    for line in lines:
        word, operation, *_ = line.split()
        if word == "ok":
            truth = after(truth, operation)
        under_way = operation if word == "try" else None
    return {truth} if under_way is None else {truth, after(truth, under_way)}


@pytest.fixture
def daemon() -> Iterator[RoostDaemon]:
    if not has_binding():
        pytest.skip("python3-libvirt is not installed")
    with RoostDaemon() as running:
        yield running


def load(daemon: RoostDaemon, kill_after: float, seed: str, logs: list[Path]) -> None:
    """Let the clients work for a while, then kill the daemon under them."""
    clients = []
    for worker, log in enumerate(logs):
        names = [f"w{worker}n{number}" for number in range(NAMES_PER_WORKER)]
        with log.open("wb") as out:
            command = [BINDING_PYTHON, "-c", LOAD, daemon.uri, f"{seed}.{worker}", *names]
            clients.append(subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL))
    # On a busy machine it takes long until the first of them has connected.
    deadline = time.monotonic() + 60
    while not any(log.stat().st_size for log in logs) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(kill_after)
    daemon.kill()
    for client in clients:
        try:
            client.wait(30)
        finally:
            client.kill()
            client.wait()


def test_nothing_acknowledged_is_lost(daemon: RoostDaemon, tmp_path: Path) -> None:
    chance = random.Random(os.environ.get("ROOST_SEED", "roost"))
    logs = [tmp_path / f"client{worker}.log" for worker in range(WORKERS)]
    known: dict[str, Truth] = {}
    acknowledged = 0
    for kill in range(KILLS):
        load(daemon, chance.uniform(0.15, 1.2), f"{kill}", logs)
        guests_before = set(daemon.guest_pids())
        daemon.start()
        found = {name: Truth(*state) for name, state in libvirt_result(LOOK, daemon.uri).items()}
        said: dict[str, list[str]] = {}
        for line in "".join(log.read_text() for log in logs).splitlines():
            said.setdefault(line.split()[2], []).append(line)
            acknowledged += line.startswith("ok")
        for name in known.keys() | said.keys() | found.keys():
            expected = possible(known.get(name, NOTHING), said.get(name, []))
            assert found.get(name, NOTHING) in expected, (
                f"kill {kill}: {name} is {found.get(name)}, expected one of {expected} after {said.get(name)}"
            )
        known = found
        active = sum(truth.active for truth in found.values())
        guests = set(daemon.guest_pids())
        assert len(guests) == active, f"kill {kill}: {len(guests)} QEMUs for {active} active domains"
        assert guests <= guests_before, f"kill {kill}: QEMUs appeared by themselves"
        assert libvirt_result(MANAGE, daemon.uri)
    assert acknowledged > KILLS, "the load did nothing"
