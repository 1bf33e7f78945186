"""Processes: started, watched, found again, never mistaken."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from roost.errors import SystemCallError
from roost.host.api import Command
from roost.host.linux import processes
from roost.host.linux.ownership import find_account
from roost.host.linux.processes import LinuxProcesses, start_time
from roost.host.linux.spawning import spawn
from support.limits import may_raise_limits

Runner = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(scope="module", autouse=True)
def first_uvloop() -> None:
    """libuv's signal pipe is made with the first loop and kept; it is no test's leak."""
    uvloop.run(asyncio.sleep(0))


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Runner:
    return asyncio.run if request.param == "asyncio" else uvloop.run


def command(*argv: str, output: int = 2, **options: Any) -> Command:
    return Command(argv, {"PATH": os.environ["PATH"]}, output, **options)


def test_exit_status_and_callbacks(run: Runner) -> None:
    async def main() -> None:
        process = await LinuxProcesses().start(command("sh", "-c", "exit 7"))
        called: list[str] = []
        process.on_exit(lambda: called.append("first"))
        process.on_exit(lambda: called.append("second"))
        assert await process.wait() == 7
        assert called == ["first", "second"]
        assert process.exited
        assert process.usage() is None
        assert process.threads([process.pid]) == []
        process.signal(signal.SIGTERM)  # nothing to reach, and no error
        process.on_exit(lambda: called.append("late"))
        await asyncio.sleep(0)
        assert called[-1] == "late"

    run(main())


def test_signal_and_usage(run: Runner) -> None:
    async def main() -> None:
        process = await LinuxProcesses().start(command(sys.executable, "-c", "import signal; signal.pause()"))
        # The kernel counts few pages as none.
        while (usage := process.usage()) is not None and not usage.resident:  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(0.01)
        assert usage is not None
        assert [usage.thread for usage in process.threads([process.pid, 2**22])] == [process.pid]
        assert not process.exited
        process.signal(signal.SIGKILL)
        assert await process.wait() == -signal.SIGKILL

    run(main())


def test_terminated_or_killed(run: Runner) -> None:
    async def main() -> None:
        reader, writer = os.pipe()
        deaf = "import os, signal, time; signal.signal(15, signal.SIG_IGN); os.write({}, b'x'); time.sleep(60)"
        process = await LinuxProcesses().start(
            command(sys.executable, "-c", deaf.format(writer), descriptors=(writer,))
        )
        os.close(writer)
        assert os.read(reader, 1) == b"x"
        os.close(reader)
        process.terminate(0.01)
        assert await process.wait() == -signal.SIGKILL
        willing = await LinuxProcesses().start(command("sleep", "60"))
        willing.terminate(60)
        assert await willing.wait() == -signal.SIGTERM

    run(main())


def test_a_session_of_its_own_with_inherited_descriptors(run: Runner, tmp_path: Path) -> None:
    async def main() -> None:
        reader, writer = os.pipe()
        output = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
        script = f"import os; os.write({writer}, b'%d %d' % (os.getsid(0), os.getpid())); print(oct(os.umask(0)))"
        process = await LinuxProcesses().start(
            command(sys.executable, "-c", script, output=output, descriptors=(writer,), umask=0o027)
        )
        os.close(writer)
        os.close(output)
        assert await process.wait() == 0
        session, pid = os.read(reader, 100).split()
        os.close(reader)
        assert session == pid
        assert (tmp_path / "out").read_text() == "0o27\n"

    run(main())


@pytest.mark.root
@pytest.mark.parametrize("lives_on", [True, False])
def test_another_user(run: Runner, tmp_path: Path, lives_on: bool) -> None:
    async def main() -> None:
        account = find_account("nobody")
        output = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
        script = "id -u; id -g; id -G; grep CapEff: /proc/self/status; echo $0"
        wanted = command("sh", "-c", script, output=output, account=account, lives_on=lives_on)
        process = await LinuxProcesses().start(wanted)
        os.close(output)
        assert await process.wait() == 0
        groups = " ".join(map(str, account.groups or (account.gid,)))
        expected = [str(account.uid), str(account.gid), groups, "CapEff:\t0000000000000000", "sh"]
        assert (tmp_path / "out").read_text().splitlines() == expected

    run(main())


def test_nobody_waits_for_a_start(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was being started when its task ended is ended, too."""
    begun, going_on = threading.Event(), threading.Event()
    started = []
    usual = spawn

    def slow(*words: Any) -> int:
        begun.set()
        going_on.wait(30)
        started.append(usual(*words))
        return started[0]

    async def main() -> None:
        monkeypatch.setattr(processes, "spawn", slow)
        task = asyncio.create_task(LinuxProcesses().start(command("sleep", "60")))
        await asyncio.to_thread(begun.wait, 30)
        task.cancel()
        # What it was given stays open until it has been used.
        await asyncio.sleep(0.01)
        assert not task.done()
        going_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())
    with pytest.raises(ChildProcessError):
        os.waitpid(started[0], 0)


STARTS_A_LISTING = """
import asyncio
from roost.host.api import Command
from roost.host.linux.processes import LinuxProcesses

async def main():
    listing = await LinuxProcesses().start(Command(["/bin/ls", "/proc/self/fd"], {}, 1))
    assert await listing.wait() == 0

asyncio.run(main())
"""


def test_what_the_daemon_was_started_with_is_not_its_childrens() -> None:
    # High enough to be no number that `ls` itself uses.
    given = fcntl.fcntl(0, fcntl.F_DUPFD, 100)
    try:
        done = subprocess.run(
            [sys.executable, "-c", STARTS_A_LISTING], pass_fds=(given,), stdout=subprocess.PIPE, text=True, check=True
        )
    finally:
        os.close(given)
    assert str(given) not in done.stdout.split()


@pytest.mark.parametrize("limit", [4096, 1 << 20])
def test_how_much_memory_may_be_locked(run: Runner, tmp_path: Path, limit: int) -> None:
    async def main() -> None:
        with (tmp_path / "said").open("w") as said:
            process = await LinuxProcesses().start(
                command("sh", "-c", "ulimit -l; ulimit -H -l", output=said.fileno(), locked=limit)
            )
            assert await process.wait() == 0
        assert (tmp_path / "said").read_text().split() == [str(limit // 1024)] * 2

    run(main())


def test_a_program_that_is_not_there(run: Runner) -> None:
    async def main() -> None:
        with pytest.raises(SystemCallError, match="Cannot run '/no/such/program': No such file or directory"):
            await LinuxProcesses().start(command("/no/such/program"))

    run(main())


def test_found_again_by_number_and_start_time(run: Runner) -> None:
    async def main() -> None:
        processes = LinuxProcesses()
        process = await processes.start(command("sleep", "60"))
        again = processes.attach(process.pid, process.started)
        assert again is not None
        assert processes.attach(process.pid, process.started + 1) is None
        process.signal(signal.SIGKILL)
        assert await again.wait() is None  # another's child: its status is not ours to have
        await process.wait()
        assert processes.attach(process.pid, process.started) is None
        assert start_time(process.pid) is None

    run(main())


def test_a_released_process_goes_on(run: Runner) -> None:
    pids: list[int] = []

    async def main() -> None:
        process = await LinuxProcesses().start(command("sleep", "60"))
        process.on_exit(lambda: pids.append(-1))
        process.release()
        pids.append(process.pid)
        assert start_time(process.pid) == process.started

    run(main())
    os.kill(pids[0], signal.SIGKILL)
    os.waitpid(pids[0], 0)
    assert len(pids) == 1


STARTS_A_HELPER = """
import asyncio, os, signal, sys
from roost.host.api import Command
from roost.host.linux.processes import LinuxProcesses

async def main():
    output = os.open("/dev/null", os.O_RDWR)
    helper = Command(["/bin/sleep", "60"], {}, output, lives_on=sys.argv[1] == "True")
    print((await LinuxProcesses().start(helper)).pid, flush=True)
    signal.pause()

asyncio.run(main())
"""


@pytest.mark.parametrize("lives_on", [True, False])
def test_a_helper_ends_with_the_daemon_and_a_guest_does_not(lives_on: bool) -> None:
    with subprocess.Popen([sys.executable, "-c", STARTS_A_HELPER, str(lives_on)], stdout=subprocess.PIPE) as daemon:
        assert daemon.stdout is not None
        pid = int(daemon.stdout.readline())
        pidfd = os.pidfd_open(pid)
        try:
            daemon.kill()
            daemon.wait()
            ended, _, _ = select.select([pidfd], [], [], 0.2 if lives_on else 30)
            assert bool(ended) is not lives_on
        finally:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            os.close(pidfd)


def test_how_much_memory_a_running_process_may_lock(run: Runner, tmp_path: Path) -> None:
    async def main() -> None:
        with (tmp_path / "said").open("w") as said:
            process = await LinuxProcesses().start(command("sleep", "60", output=said.fileno(), locked=1 << 20))
        # The program that becomes it sets its limit first.
        while process.lockable() != 1 << 20:  # noqa: ASYNC110 - a process of somebody else's
            await asyncio.sleep(0.01)
        process.set_lockable(1 << 16)
        assert process.lockable() == 1 << 16
        if may_raise_limits():
            process.set_lockable(-1)
            assert process.lockable() == -1
        else:
            refused = f"cannot limit locked memory of process {process.pid} to {{}}: Operation not permitted; raising"
            for size, shown in ((1 << 17, 1 << 17), (-1, 9007199254740991)):
                with pytest.raises(SystemCallError, match=refused.format(shown)):
                    process.set_lockable(size)
            assert process.lockable() == 1 << 16
        process.terminate(0.0)
        await process.wait()
        process.set_lockable(1)
        assert process.lockable() is None

    run(main())
