"""Control groups of guests that a test kills behind the back of the daemon that would have removed them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

#: Seconds that a killed process may take to leave its groups.
PATIENCE = 2.0


def hierarchies() -> dict[str, Path]:
    """Where each is mounted, by the controllers in /proc/PID/cgroup; "" for the one of v2."""
    found = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.split(" ", 2)
        if kind == "cgroup2":
            found[""] = Path(fields.split()[4])
        elif kind == "cgroup":
            controllers = [each for each in options.split(",") if each != "rw"]
            found[",".join(controllers)] = Path(fields.split()[4])
    return found


def groups_of(pids: Iterable[int]) -> set[Path]:
    """The groups that were made for guests."""
    roots, found = hierarchies(), set()
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
                _, controllers, path = line.split(":", 2)
                parts = Path(path).parts
                ours = [place for place, part in enumerate(parts) if ".libvirt-qemu" in part]
                if ours and controllers in roots:
                    found.add(roots[controllers].joinpath(*parts[1 : ours[0] + 1]))
    return found


def remove(groups: Iterable[Path]) -> None:
    """Remove groups whose processes have been killed."""
    deadline = time.monotonic() + PATIENCE
    for group in groups:
        while group.is_dir():
            with contextlib.suppress(OSError):
                for within in [entry.path for entry in os.scandir(group) if entry.is_dir()]:
                    os.rmdir(within)
                group.rmdir()
            if time.monotonic() > deadline:
                break
            time.sleep(0.001)
