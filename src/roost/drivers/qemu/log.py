"""A guest's log: how it was started, what QEMU said, how it ended."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import roost
from roost.host.api import NodeFacts

#: How much of the end of QEMU's words an error carries.
_EXCERPT = 2048
#: Lines that say nothing about a failure: QEMU's announcements, and our own notes.
_CHATTER = re.compile(r"^char device redirected to |: Domain id=\d+ is tainted: ")


def _now() -> str:
    now = datetime.now(UTC)
    return f"{now:%Y-%m-%d %H:%M:%S}.{now.microsecond // 1000:03d}+0000"


class GuestLog:
    """The log file of one guest, opened for appending. `descriptor` becomes QEMU's output."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._start = 0

    def header(self, argv: Sequence[str], env: Mapping[str, str], version: str, node: NodeFacts) -> None:
        """How QEMU is started: versions, environment, one option a line."""
        lines = [
            f"{_now()}: starting up roost version: {roost.__version__}, qemu version: {version}, "
            f"kernel: {node.kernel()}, hostname: {node.hostname()}"
        ]
        lines += [f"{name}={shlex.quote(value)} \\" for name, value in env.items()]
        lines.append(f"{shlex.quote(argv[0])} \\")
        option = ""
        for word in argv[1:]:
            if word.startswith("-") and option:
                lines.append(f"{option} \\")
                option = ""
            option = f"{option} {shlex.quote(word)}" if option else shlex.quote(word)
        lines.append(option)
        self.write("\n".join(lines) + "\n")
        self._start = os.fstat(self.descriptor).st_size

    def words(self) -> str:
        """What QEMU has complained of since the header."""
        size = os.fstat(self.descriptor).st_size
        start = max(self._start, size - _EXCERPT)
        text = os.pread(self.descriptor, size - start, start).decode("utf-8", "replace")
        return "\n".join(line for line in text.splitlines() if not _CHATTER.search(line)).strip()

    def write(self, text: str) -> None:
        # A full disk must not keep a guest from starting or ending.
        with contextlib.suppress(OSError):
            os.write(self.descriptor, text.encode("utf-8", "surrogateescape"))

    def taint(self, id: int, what: str) -> None:
        self.write(f"{_now()}: Domain id={id} is tainted: {what}\n")

    def panic(self, words: str) -> None:
        self.write(f"{_now()}: panic {words}\n")

    def end(self, reason: str) -> None:
        """The closing line. reason: shutdown, destroyed, crashed, failed …"""
        self.write(f"{_now()}: shutting down, reason={reason}\n")

    def close(self) -> None:
        if self.descriptor != -1:
            os.close(self.descriptor)
            self.descriptor = -1


#: (what QEMU's words contain, what helps). The first that matches is used.
_HINTS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.I), hint)
    for pattern, hint in (
        (r"Failed to get (?:\"(?P<lock>write|shared)\"|shared) .*lock", "another process has this image open; a guest "
         "may only share an image that is <shareable/> or <readonly/>"),
        (r"Could not access KVM kernel module|failed to initialize kvm", "KVM cannot be used here: load the module, "
         "give the QEMU user access to /dev/kvm, or use <domain type='qemu'>"),
        (r"swtpm\.sock|tpm-emulator", "swtpm has refused its state or has ended: the guest's -swtpm.log beside this "
         "log says why; a passphrase must be the one the state was made with"),
        (r"Address already in use", "another program listens there; choose another port or autoport='yes'"),
        (r"Permission denied", "the user that QEMU runs as may not open it: check owner and mode of the path"),
        (r"No such file or directory", "the path does not exist on this host"),
        (r"Image is not in (\w+) format", "correct the type of <driver> to the image's real format"),
        (r"MEMLOCK resource limit", "locked memory beyond the daemon's own limit needs CAP_SYS_RESOURCE: run the "
         "daemon with it, or with a higher LimitMEMLOCK"),
        (r"cannot set up guest memory|Cannot allocate memory", "the host has not enough free memory for this guest"),
        (r"is not a valid device model name|not a valid device", "this QEMU has no such device"),
        (r"unsupported machine type", "domcapabilities lists the machine types"),
        (r"Unknown CPU model|unable to find CPU model", "domcapabilities lists the CPU models"),
    )
)  # fmt: skip


def hint_for(words: str) -> str:
    """What to do about QEMU's complaint; "" when it is not known."""
    for pattern, hint in _HINTS:
        if pattern.search(words):
            return hint
    return ""
