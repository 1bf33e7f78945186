"""A QEMU that answers nothing while a change waits for it: whoever only asks is answered, and it can be destroyed."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Iterator

import pytest

from roost.constants import domain as D
from roost.errors import OperationTimeout
from support.daemon import RoostDaemon
from support.operations import QUESTIONS, Operation
from support.peer import virsh_ok
from support.raw import RawClient, Refusal
from support.states import NAME, subject_of

pytestmark = [pytest.mark.guest, pytest.mark.root]

OTHER = """<domain type='qemu'><name>other</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>"""

CLIENTS = 8


@pytest.fixture
def daemon() -> Iterator[RoostDaemon]:
    with RoostDaemon() as running:
        yield running


@contextlib.contextmanager
def begun(daemon: RoostDaemon, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """virsh at work; it ends in here or is ended."""
    process = subprocess.Popen(
        ["virsh", "-c", daemon.uri, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def answered(daemon: RoostDaemon, asked: list[tuple[Operation, object]]) -> dict[str, object]:
    """The answers to all of them, from several clients at once. Each waits as long as RawClient does."""
    left: queue.SimpleQueue[tuple[Operation, object]] = queue.SimpleQueue()
    for each in asked:
        left.put(each)
    found: dict[str, object] = {}

    def ask() -> None:
        with RawClient(daemon.socket_path) as client, contextlib.suppress(queue.Empty):
            client.open("qemu:///system")
            while True:
                operation, arguments = left.get_nowait()
                assert isinstance(arguments, tuple)
                found[operation.title] = client.call(operation.name, *arguments, program=operation.program)

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_questions_and_the_end(daemon: RoostDaemon) -> None:
    document = daemon.root / "other.xml"
    document.write_text(OTHER)
    with subject_of(daemon.socket_path) as subject:
        subject.running()
        virsh_ok(daemon.uri, "create", str(document))
        asked = [(each, each.arguments(subject.ref, subject.files)) for each in QUESTIONS]
        before = answered(daemon, list(asked))
        for name in (NAME, "other"):
            os.kill(int((daemon.root / "run" / "qemu" / f"{name}.pid").read_text()), signal.SIGSTOP)
        with begun(daemon, "destroy", "other") as ending, begun(daemon, "setmem", NAME, "20M", "--live") as change:
            while subject.client.call("DOMAIN_GET_CONTROL_INFO", subject.ref, 0)[0] != D.CONTROL_JOB:
                assert change.poll() is None, change.communicate()
            during = answered(daemon, list(asked))
            stats = virsh_ok(daemon.uri, "domstats", "--nowait")
            assert change.poll() is None, "nothing hung"
            assert ending.wait(60) == 0, ending.communicate()
        assert during.keys() == before.keys() == {operation.title for operation, _ in asked}
        late = {title for title, answer in during.items() if is_late(answer)}
        for title in during.keys() - late:
            assert isinstance(during[title], Refusal) == isinstance(before[title], Refusal), title
        # Only what nobody but QEMU knows is not to be had.
        assert {title.partition("(")[0] for title in late} <= {
            "DOMAIN_BLOCK_STATS",
            "DOMAIN_BLOCK_STATS_FLAGS",
            "DOMAIN_MEMORY_PEEK",
            "DOMAIN_MEMORY_STATS",
            "DOMAIN_GET_BLOCK_INFO",
            "DOMAIN_GET_BLOCK_IO_TUNE",
            "DOMAIN_GET_DISK_ERRORS",
        }
        assert "state.state=1" in stats
    assert "Traceback" not in daemon.log


def is_late(answer: object) -> bool:
    return isinstance(answer, Refusal) and answer.code == OperationTimeout.code
