"""A `roostd` of the test's own, with everything it writes below one temporary directory."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from support import groups, heard
from support.peer import accepts

START_SECONDS = 30.0
STOP_SECONDS = 30.0


class DaemonError(AssertionError):
    """The daemon did not start, or did not end as it should; the text ends with what it logged."""


class RoostDaemon:
    """Starts on entry; on exit stops, ends the guests that were left running and removes the directory.

    `root` is what `--root` got: give one to keep it, or to start a second daemon on what a first one left.
    """

    def __init__(
        self,
        root: Path | None = None,
        *,
        options: Sequence[str] = ("-v",),
        environment: dict[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        self._made_root = root is None
        # Not pytest's own directory: a socket's path must be short, and QEMU's user must be able to enter.
        self.root = root or Path(tempfile.mkdtemp(prefix="roost-", dir="/tmp"))
        self.root.chmod(0o755)
        self._options = list(options)
        self._environment = environment or {}
        self._prefix = list(prefix)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket_path(self) -> Path:
        """The read-write socket."""
        return self.root / "run" / "roost-sock"

    @property
    def readonly_socket_path(self) -> Path:
        """The socket for clients that may only look."""
        return self.root / "run" / "roost-sock-ro"

    @property
    def admin_socket_path(self) -> Path:
        """The socket of the admin program."""
        return self.root / "run" / "roost-admin-sock"

    @property
    def uri(self) -> str:
        """What any libvirt client opens to reach the QEMU driver of this daemon."""
        return self.uri_of("qemu", "system")

    def uri_of(self, driver: str, path: str) -> str:
        """The same for another driver: `uri_of("test", "default")`."""
        return f"{driver}+unix:///{path}?socket={self.socket_path}"

    @property
    def pid(self) -> int:
        """The daemon's process id."""
        assert self._process is not None, "the daemon is not running"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """All that the daemon wrote to its output since the first start."""
        path = self.root / "daemon.out"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start the process and return when it accepts clients."""
        # In tests, the daemon notes what it did.
        program = [heard.__file__] if heard.VARIABLE in os.environ else ["-m", "roost.daemon"]
        command = [*self._prefix, sys.executable, *program, "--root", str(self.root), *self._options]
        with (self.root / "daemon.out").open("ab") as out:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd="/",
                env={**os.environ, **self._environment},
            )
        deadline = time.monotonic() + START_SECONDS
        while not accepts(self.socket_path):
            if self._process.poll() is not None:
                raise DaemonError(f"roostd ended with {self._process.returncode} while starting:\n{self.log}")
            if time.monotonic() > deadline:
                self.kill()
                raise DaemonError(f"roostd did not accept clients within {START_SECONDS:g} s:\n{self.log}")
            time.sleep(0.005)

    def stop(self) -> None:
        """End it as the service manager would; its guests go on."""
        if not self.is_running:
            return
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise DaemonError(f"roostd did not end within {STOP_SECONDS:g} s of SIGTERM:\n{self.log}") from None
        if status not in (0, -signal.SIGTERM):
            raise DaemonError(f"roostd ended with {status} after SIGTERM:\n{self.log}")

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def restart(self) -> None:
        """Stop and start again on the same directory."""
        self.stop()
        self.start()

    def guest_pids(self) -> list[int]:
        """Processes of guests of this daemon, also of an earlier one on the same directory."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) not in (os.getpid(), getattr(self._process, "pid", 0)):
                with contextlib.suppress(OSError):
                    # A guest's home lies below the root; its command line need not name it.
                    home = b"\0HOME=" + str(self.root).encode() + b"/"
                    if home in b"\0" + (entry / "environ").read_bytes():
                        found.append(int(entry.name))
        return found

    def end_guests(self) -> None:
        """Kill what guests are left."""
        pids = self.guest_pids()
        left = groups.groups_of(pids)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        groups.remove(left)

    def __enter__(self) -> RoostDaemon:
        try:
            self.start()
        except BaseException:
            self._clean_up()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            print(f"--- {self.root}/daemon.out ---\n{self.log}", file=sys.stderr)
        self.close()

    def close(self) -> None:
        """Stop it, end its guests and remove its directory."""
        try:
            self.stop()
        finally:
            self._clean_up()

    def _clean_up(self) -> None:
        self.end_guests()
        if self._made_root:
            shutil.rmtree(self.root, ignore_errors=True)


def read_up_to(descriptor: int, size: int) -> bytes:
    """So much of what a save writes, and no more: QEMU has to wait with the rest."""
    data = b""
    while len(data) < size:
        assert select.select([descriptor], [], [], 60)[0], f"nothing after {len(data)} bytes"
        data += os.read(descriptor, min(4096, size - len(data)))
    return data
