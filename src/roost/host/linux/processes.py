"""Processes: spawned, watched through a pidfd, found again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import select
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from roost.host.api import UNLIMITED, Command, ProcessUsage, ThreadUsage
from roost.host.linux.spawning import spawn
from roost.host.linux.system import system_error

_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
_LOCKED = b"Max locked memory"


def _stat_fields(data: bytes) -> list[bytes]:
    """/proc/PID/stat from the third field on; the second, the name, may hold anything."""
    return data[data.rindex(b")") + 2 :].split()


def start_time(pid: int) -> int | None:
    """Clock ticks after boot at which `pid` was started; None when nothing runs under that number."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            fields = _stat_fields(file.read(4096))
        return None if fields[0] in (b"Z", b"X") else int(fields[19])
    except (OSError, ValueError, IndexError):
        return None


class LinuxProcess:
    """See host.api.Process. Made by `LinuxProcesses`, on the running loop."""

    def __init__(self, pid: int, started: int, pidfd: int, *, ours: bool) -> None:
        """ours: a child of the daemon's, which hears how it ended."""
        self.pid = pid
        self.started = started
        self._pidfd = pidfd
        self._unreaped = ours
        self._status: int | None = None
        self._stat = -1
        self._callbacks: list[Callable[[], None]] = []
        self._last_resort: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(pidfd, self._on_exit)

    @property
    def exited(self) -> bool:
        """Asks the kernel: true as soon as it is so, before the callbacks have run."""
        if self._pidfd == -1:
            return True
        poller = select.poll()
        poller.register(self._pidfd, select.POLLIN)
        return bool(poller.poll(0))

    @property
    def returncode(self) -> int | None:
        if self._unreaped:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._unreaped, self._status = False, os.waitstatus_to_exitcode(status)
        return self._status

    def signal(self, number: int) -> None:
        if self._pidfd != -1:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def terminate(self, grace: float) -> None:
        self.signal(signal.SIGTERM)
        if self._pidfd != -1 and self._last_resort is None:
            self._last_resort = self._loop.call_later(grace, self.signal, signal.SIGKILL)

    async def wait(self) -> int | None:
        if self._pidfd != -1:
            ended = asyncio.Event()
            self.on_exit(ended.set)
            await ended.wait()
        return self.returncode

    def on_exit(self, callback: Callable[[], None]) -> None:
        if self._pidfd == -1:
            self._loop.call_soon(callback)
        else:
            self._callbacks.append(callback)

    def _on_exit(self) -> None:
        _ = self.returncode
        self._close()
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def _close(self) -> None:
        if self._last_resort is not None:
            self._last_resort.cancel()
        if self._pidfd != -1:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
        if self._stat != -1:
            os.close(self._stat)
            self._stat = -1

    def release(self) -> None:
        self._close()
        self._callbacks.clear()

    def usage(self) -> ProcessUsage | None:
        if self._pidfd == -1:
            return None
        try:
            if self._stat == -1:
                self._stat = os.open(f"/proc/{self.pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
            fields = _stat_fields(os.pread(self._stat, 4096, 0))
        except OSError:
            return None
        return ProcessUsage(int(fields[11]) * _TICK, int(fields[12]) * _TICK, int(fields[21]) * _PAGE_KIB)

    def threads(self, numbers: Sequence[int]) -> Sequence[ThreadUsage]:
        if self._pidfd == -1 or not numbers:
            return []
        counted = _waits_are_counted()
        found = (_thread_usage(self.pid, number, waits=counted) for number in numbers)
        return [usage for usage in found if usage is not None]

    def lockable(self) -> int | None:
        # Another user's process may not be asked by prlimit(2).
        try:
            lines = _read(f"/proc/{self.pid}/limits", 4096).splitlines()
        except OSError:
            return None
        found = [line.removeprefix(_LOCKED).split()[1] for line in lines if line.startswith(_LOCKED)]
        if not found:
            return None
        return -1 if found == [b"unlimited"] else int(found[0])

    def set_lockable(self, size: int) -> None:
        if self._pidfd == -1:
            return
        try:
            resource.prlimit(self.pid, resource.RLIMIT_MEMLOCK, (size, size))
        except OSError as error:
            shown = UNLIMITED if size < 0 else size
            hint = "raising the limit needs CAP_SYS_RESOURCE: run the daemon with it, or with LimitMEMLOCK="
            hint += f"{'infinity' if size < 0 else size}, which guests that are started then inherit"
            text = f"cannot limit locked memory of process {self.pid} to {shown}"
            raise system_error(text, error, hint=hint) from error


def _thread_usage(pid: int, thread: int, *, waits: bool) -> ThreadUsage | None:
    base = f"/proc/{pid}/task/{thread}/"
    try:
        used, delayed, _ = _read(base + "schedstat", 256).split()
        waited = _waited(base + "sched") if waits else 0
    except (OSError, ValueError):
        return None
    return ThreadUsage(thread, int(used), int(delayed), waited)


def _waits_are_counted() -> bool:
    """Whether the kernel keeps the statistics of its scheduler that cost time."""
    try:
        return _read("/proc/sys/kernel/sched_schedstats", 8).strip() == b"1"
    except OSError:
        return False


def _waited(path: str) -> int:
    """The nanoseconds of `wait_sum`, which the kernel writes as milliseconds with a fraction."""
    for line in _read(path, 65536).splitlines():
        name, _, value = line.partition(b":")
        if name.strip() in (b"se.statistics.wait_sum", b"se.wait_sum", b"wait_sum"):
            return int(float(value) * 1_000_000)
    return 0


def _read(path: str, size: int) -> bytes:
    """A file of the kernel's, without a file object's own questions about it. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, size)
    finally:
        os.close(descriptor)


def _spawned(command: Command) -> int:
    words = _as_wanted(command)
    output = command.output
    with open(os.devnull, "rb") as nothing:
        descriptors = {number: number for number in command.descriptors} | {
            0: nothing.fileno() if command.input is None else command.input,
            1: output,
            2: output if command.errors is None else command.errors,
        }
        try:
            return spawn(words, command.env, command.directory, descriptors)
        except OSError as error:
            raise system_error(f"Cannot run '{words[0]}'", error) from error


def _as_wanted(command: Command) -> Sequence[str]:
    """Its words, behind those of the programs that change for it what only a process itself can change."""
    words: list[str] = []
    if command.umask is not None:
        words += ["sh", "-c", 'umask "$0" && exec "$@"', f"{command.umask:03o}"]
    if command.locked is not None:
        # While it has the right to.
        limit = "unlimited" if command.locked < 0 else str(command.locked)
        words += ["prlimit", f"--memlock={limit}:{limit}"]
    account = command.account
    if account is not None or not command.lives_on:
        words.append("setpriv")
        if account is not None:
            groups = f"--groups={','.join(map(str, account.groups))}" if account.groups else "--clear-groups"
            words += [f"--reuid={account.uid}", f"--regid={account.gid}", groups]
        if not command.lives_on:
            words += ["--pdeathsig", "KILL"]
        words.append("--")
    if not command.lives_on:
        # A daemon that was gone before that would never be missed.
        words += ["sh", "-c", 'test "$PPID" = "$0" && exec "$@"', str(os.getpid())]
    return (*words, *command.argv)


def _watched(pid: int) -> LinuxProcess:
    # Not reaped before the pidfd is ours, so the number cannot be another's.
    return LinuxProcess(pid, start_time(pid) or 0, os.pidfd_open(pid), ours=True)


def _give_up(starting: asyncio.Future[int]) -> None:
    """End what was started for somebody who does not wait for it any more."""
    if not starting.cancelled() and starting.exception() is None:
        pid = starting.result()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


class LinuxProcesses:
    """See host.api.Processes."""

    async def start(self, command: Command) -> LinuxProcess:
        starting = asyncio.get_running_loop().run_in_executor(None, _spawned, command)
        try:
            return _watched(await asyncio.shield(starting))
        except asyncio.CancelledError:
            starting.add_done_callback(_give_up)
            # Whoever called closes the descriptors next.
            await asyncio.wait((starting,))
            raise

    def attach(self, pid: int, started: int) -> LinuxProcess | None:
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            return None
        # In this order: if the start time matches now, it is what the pidfd holds.
        if start_time(pid) != started:
            os.close(pidfd)
            return None
        return LinuxProcess(pid, started, pidfd, ours=False)

    def find(self, path: Path) -> LinuxProcess | None:
        try:
            pid = int(path.read_text())
            pidfd = os.pidfd_open(pid)
        except (OSError, ValueError):
            return None
        # In this order: if the command line is the right one now, it is what the pidfd holds.
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            words = b""
        started = start_time(pid)
        if str(path).encode() not in words or started is None:
            os.close(pidfd)
            return None
        return LinuxProcess(pid, started, pidfd, ours=False)
