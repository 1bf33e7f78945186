"""libvirt as the other side: its daemon to compare with, its clients to be driven by."""

from __future__ import annotations

import atexit
import functools
import json
import os
import select
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from support import groups, heard

SECONDS = 120.0

# Debian's binding belongs to Debian's interpreter, not to the one the tests run under.
BINDING_PYTHON = "/usr/bin/python3"


class Answer(subprocess.CompletedProcess[str]):
    """What a client printed, and how it ended."""

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return self.returncode == 0


def run(
    command: Sequence[str],
    *,
    input: str | None = None,
    seconds: float = SECONDS,
    environment: Mapping[str, str] | None = None,
) -> Answer:
    """Run a client to its end, with messages in English; a client that hangs fails the test."""
    usual = {"LC_ALL": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": home()}
    stdin: dict[str, Any] = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
    done = subprocess.run(
        list(command), capture_output=True, text=True, timeout=seconds, env=usual | {**(environment or {})}, **stdin
    )
    return Answer(done.args, done.returncode, done.stdout, done.stderr)


@functools.cache
def home() -> str:
    """A home for clients, which write their history there: gone when the tests end."""
    path = tempfile.mkdtemp(prefix="roost-home-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def virsh(
    uri: str,
    *words: str,
    input: str | None = None,
    readonly: bool = False,
    seconds: float = SECONDS,
    environment: Mapping[str, str] | None = None,
) -> Answer:
    """One virsh command against a daemon: `virsh(daemon.uri, "list", "--all")`. environment: more than the usual."""
    options = ["-r"] if readonly else []
    done = run(["virsh", "-q", "-c", uri, *options, *words], input=input, seconds=seconds, environment=environment)
    heard.note_virsh(uri, words, ok=done.ok)
    return done


def virsh_ok(uri: str, *words: str, input: str | None = None) -> str:
    """The same, for commands that must succeed: the output."""
    answer = virsh(uri, *words, input=input)
    assert answer.ok, f"virsh {' '.join(words)}: {answer.stderr}{answer.stdout}"
    return answer.stdout


def libvirt_script(code: str, *arguments: str, seconds: float = SECONDS) -> Answer:
    """Run Python code with `import libvirt` (the C binding) and `sys.argv[1:]` as given."""
    if not has_binding():
        pytest.skip("python3-libvirt is not installed")
    # The binding prints every error to stderr unless a handler is set, and scripts print what they want compared.
    prelude = "import json, sys, libvirt\nlibvirt.registerErrorHandler(lambda *_: None, None)\n"
    return run([BINDING_PYTHON, "-c", prelude + code, *arguments], seconds=seconds)


def libvirt_result(code: str, *arguments: str) -> Any:
    """Run a script that must succeed and ends with `print(json.dumps(…))`; what it printed last, decoded."""
    answer = libvirt_script(code, *arguments)
    assert answer.ok, answer.stderr
    return json.loads(answer.stdout.splitlines()[-1])


@functools.cache
def has_binding() -> bool:
    """Whether Debian's python3-libvirt is there."""
    return shutil.which(BINDING_PYTHON) is not None and run([BINDING_PYTHON, "-c", "import libvirt"]).ok


class Peer:
    """A libvirtd of the test's own: its directories, processes and mounts are not those of the machine's.

    Its guests end with it. Needs root, and libvirt's daemon installed.
    """

    CONFIGURATION: ClassVar[dict[str, str]] = {
        # The same client may connect here as to roostd, without polkit.
        "libvirtd.conf": 'auth_unix_ro = "none"\nauth_unix_rw = "none"\nunix_sock_rw_perms = "0777"\n',
        # No virtlogd beside it, and no mount namespace for each guest inside this one. Ports that no other daemon
        # of the tests looks at: it takes one that is held and not listened on yet.
        "qemu.conf": 'stdio_handler = "file"\nnamespaces = []\n'
        f"remote_display_port_min = {6000 + os.getpid() % 500 * 100}\n",
    }
    #: Shell commands that are run in its mount namespace before it starts.
    PREPARATION: ClassVar[str] = ""
    DIRECTORIES: ClassVar[dict[str, str]] = {
        "etc": "/etc/libvirt",
        "run": "/run/libvirt",
        "lib": "/var/lib/libvirt",
        "cache": "/var/cache/libvirt",
        "log": "/var/log/libvirt",
    }

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="roost-peer-", dir="/tmp"))
        self.root.chmod(0o755)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket_path(self) -> Path:
        """The read-write socket, as seen from here."""
        return self.root / "run" / "libvirt-sock"

    @property
    def uri(self) -> str:
        """What a client opens."""
        return f"qemu+unix:///system?socket={self.socket_path}"

    @property
    def log(self) -> str:
        """What the daemon wrote to its output."""
        path = self.root / "daemon.out"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start it and return when it accepts clients."""
        for name in self.DIRECTORIES:
            (self.root / name).mkdir(exist_ok=True)
            (self.root / name).chmod(0o755)
        for name, text in self.CONFIGURATION.items():
            (self.root / "etc" / name).write_text(text)
        self.socket_path.unlink(missing_ok=True)
        binds = "".join(
            f"mkdir -p {there}; mount --bind {self.root}/{name} {there}; " for name, there in self.DIRECTORIES.items()
        )
        # A /dev/kvm that root may use and QEMU's user may not makes libvirtd probe QEMU anew, 25 s, at every request.
        no_kvm = self.root / "kvm"
        no_kvm.touch(mode=0)
        binds += f"if test -e /dev/kvm; then mount --bind {no_kvm} /dev/kvm; fi; "
        # Huge pages that guests may name, without taking any of the machine's.
        for size in ("2M", "1G"):
            pages = f"/run/libvirt/huge{size}"
            binds += f"mkdir -p {pages}; mount -t hugetlbfs -o pagesize={size} none {pages} || true; "
        # The shell is the first process of the namespace: it reaps the guests, which libvirtd would take for alive.
        script = f"set -e; {binds}{self.PREPARATION}/usr/sbin/libvirtd -p /run/libvirt/libvirtd.pid & wait"
        command = [
            "unshare",
            "--mount",
            *propagation(),
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "sh",
            "-c",
            script,
        ]
        with (self.root / "daemon.out").open("ab") as out:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd="/")
        deadline = time.monotonic() + SECONDS
        while not accepts(self.socket_path):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"libvirtd does not start:\n{self.log}")
            time.sleep(0.005)

    @property
    def pid(self) -> int:
        """The daemon's process id as seen from here."""
        assert self._process is not None, "libvirtd is not running"
        (shell,) = children(self._process.pid)
        return next(pid for pid in children(shell) if b"libvirtd" in Path(f"/proc/{pid}/cmdline").read_bytes())

    def stop(self) -> None:
        """End it, and with it every process in its namespace."""
        if self._process is not None:
            shells = children(self._process.pid)
            left = groups.groups_of(pid for shell in shells for pid in children(shell))
            firsts = [os.pidfd_open(pid) for pid in shells]
            self._process.kill()
            self._process.wait()
            self._process = None
            # The namespace's first process ends last; until then others may still write below `root`.
            for pidfd in firsts:
                select.select([pidfd], [], [], SECONDS)
                os.close(pidfd)
            groups.remove(left)

    def __enter__(self) -> Peer:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop it and remove what it wrote."""
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)


def propagation() -> list[str]:
    """The option for `unshare` that keeps the peer's mounts from other namespaces; skips where nothing does.

    Its own default needs a mount on /, which a chroot into a plain directory has not. There, mounts stay where they
    are made unless the file system that the directory is on is shared.
    """
    if not in_chroot():
        return []
    if "shared:" in (mount_of(Path("/proc/1/mountinfo"), root_mount()) or "shared: for all that is known"):
        pytest.skip("in a chroot on a shared mount, a libvirtd apart from the machine's cannot be made")
    return ["--propagation", "unchanged"]


def in_chroot() -> bool:
    """Whether the root directory is no mount of its own: such processes cannot make themselves another root either."""
    return mount_of(Path("/proc/self/mountinfo"), root_mount()) is None


def root_mount() -> str:
    """The number of the mount that the root directory is on."""
    root = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fields = Path(f"/proc/self/fdinfo/{root}").read_text().split()
    finally:
        os.close(root)
    return fields[fields.index("mnt_id:") + 1]


def mount_of(table: Path, number: str) -> str | None:
    """The line of a mount in a process's table."""
    return next((line for line in table.read_text().splitlines() if line.split()[0] == number), None)


def children(pid: int) -> list[int]:
    """Process ids of a process's children."""
    return [int(child) for path in Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()]


def accepts(path: Path) -> bool:
    """Whether somebody listens on a unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True
