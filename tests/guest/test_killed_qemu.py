"""QEMU killed in the middle of everything that asks it something.

Whoever waits is told, the domain is shut off, nothing is left of the guest and of what was begun, and it starts again.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence

import pytest

from roost.client.blocking import Client
from support import groups
from support.daemon import RoostDaemon
from support.victims import PATIENCE, Traces, Victim, make_template, traces, victims

pytestmark = [pytest.mark.guest, pytest.mark.root]

#: Words for virsh: what waits for a QEMU that does not answer. IMAGES is a directory; XML names one of the above.
WAITING = """
save NAME IMAGES/memory
managedsave NAME
dump NAME IMAGES/core
dump NAME IMAGES/core --memory-only
dump NAME IMAGES/core --live
attach-disk NAME IMAGES/new sdx --targetbus usb --live
attach-device NAME RNG --live
detach-disk NAME sdb --live
detach-device-alias NAME ua-rng --live
change-media NAME hdc IMAGES/new --insert --live
domif-setlink NAME 52:54:00:00:00:01 down
setmem NAME 32M --live
setvcpus NAME 2 --live
iothreadadd NAME 5 --live
blkdeviotune NAME vda --total-iops-sec 500 --live
blockresize NAME vda 64M
blockcopy NAME vda IMAGES/copied --transient-job
blockcommit NAME vda --active
blockpull NAME vda
backup-begin NAME PUSH
backup-begin NAME PULL
checkpoint-create-as NAME moment
snapshot-create-as NAME internal
snapshot-create-as NAME external --disk-only --diskspec vda,snapshot=external,file=IMAGES/overlay
domdirtyrate-calc NAME
screenshot NAME IMAGES/screen
dommemstat NAME --period 5 --live
qemu-monitor-command NAME {"execute":"query-status"}
resume NAME
reset NAME
reboot NAME --mode acpi
send-key NAME KEY_A
inject-nmi NAME
domfsinfo NAME
qemu-agent-command NAME {"execute":"guest-ping"}
dompmwakeup NAME
""".strip().splitlines()
#: Those that nothing but virsh itself tells of.
WITHOUT_JOB = frozenset(("screenshot", "qemu-monitor-command", "send-key", "inject-nmi"))

#: What goes on in QEMU until it is killed; virsh may have been told that it has begun.
WORKING = """
save NAME IMAGES/pipe
dump NAME IMAGES/pipe
dump NAME IMAGES/pipe --live
dump NAME IMAGES/pipe --memory-only
blockcopy NAME vda IMAGES/copied --transient-job --bandwidth 1 --bytes --wait
blockcommit NAME vda --active --bandwidth 1 --bytes --wait
blockpull NAME vda --bandwidth 1 --bytes --wait
backup-begin NAME PULL
domdirtyrate-calc NAME --seconds 60
detach-device-alias NAME ua-rng --live
detach-disk NAME vda --live
""".strip().splitlines()

#: How many guests are killed at a time.
BATCH = 9
#: What no client should read of an end that is nobody's mistake.
UNCLEAR = re.compile(r"Traceback|failed: [A-Z][a-zA-Z]+Error|unexpected|unknown error")


@pytest.fixture(scope="module")
def daemon() -> Iterator[RoostDaemon]:
    if shutil.which("qemu-img") is None or shutil.which("qemu-io") is None:
        pytest.skip("qemu-utils is not installed")
    with RoostDaemon() as running:
        make_template(running.root)
        yield running


@pytest.fixture
def client(daemon: RoostDaemon) -> Iterator[Client]:
    with contextlib.closing(Client.open(daemon.uri)) as opened:
        yield opened


def kill(
    batch: Sequence[tuple[str, Victim, subprocess.Popen[str]]], before: Sequence[Traces], *, fails: bool = True
) -> list[str]:
    """Kill the guests' QEMUs while virsh waits; what is wrong then. fails: virsh has to."""
    wrong = []
    made = [groups.groups_of([victim.pid]) for _, victim, _ in batch]
    for _, victim, _ in batch:
        os.kill(victim.pid, signal.SIGKILL)
    for line, victim, waiting in batch:
        said, _ = waiting.communicate(timeout=PATIENCE)
        if (fails and waiting.returncode == 0) or UNCLEAR.search(said):
            wrong.append(f"{line}: {waiting.returncode}, {said}")
        victim.until_crashed()
    for (line, victim, _), known, directories in zip(batch, before, made, strict=True):
        found = traces(victim)
        if found != known:
            wrong.append(f"{line} leaves {found}, there was {known}")
        if any(directory.exists() for directory in directories):
            wrong.append(f"{line} leaves {directories}")
    for _, victim, _ in batch:
        victim.start()
    return wrong


@pytest.mark.parametrize("start", range(0, len(WAITING), BATCH))
def test_while_it_does_not_answer(daemon: RoostDaemon, client: Client, start: int) -> None:
    lines = WAITING[start : start + BATCH]
    with victims(daemon, client, [f"waiting{start + number}" for number in range(len(lines))]) as guests:
        before = [traces(victim) for victim in guests]
        for victim in guests:
            victim.start()
            os.kill(victim.pid, signal.SIGSTOP)
        batch = [(line, victim, victim.begin(line)) for victim, line in zip(guests, lines, strict=True)]
        for line, victim, waiting in batch:
            if line.split()[0] not in WITHOUT_JOB:
                victim.until_asked(line, waiting)
        wrong = kill(batch, before)
    assert not wrong, "\n".join(wrong)


def test_while_it_works(daemon: RoostDaemon, client: Client) -> None:
    with victims(daemon, client, [f"working{number}" for number in range(len(WORKING))]) as guests:
        before = [traces(victim) for victim in guests]
        with contextlib.ExitStack() as stack:
            batch = []
            for line, victim in zip(WORKING, guests, strict=True):
                pipe = os.open(victim.images / "pipe", os.O_RDONLY | os.O_NONBLOCK)
                stack.callback(os.close, pipe)
                victim.start()
                batch.append((line, victim, victim.begin(line)))
                if "pipe" in line:
                    # So much that what is next comes from QEMU, which finds nobody to read the rest.
                    read_up_to(pipe, 66_000)
            time.sleep(0.5)
            wrong = kill(batch, before, fails=False)
    assert not wrong, "\n".join(wrong)


def read_up_to(descriptor: int, size: int) -> None:
    while size > 0:
        assert select.select([descriptor], [], [], PATIENCE)[0], "nothing is written"
        size -= len(os.read(descriptor, min(4096, size)))
