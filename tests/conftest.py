"""What every test gets: skips for what this machine lacks, bounded fuzzing, and a guard against leaks."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from roost.host.linux import counters
from roost.host.linux.cgroups import LinuxControlGroups
from support import heard, procedures
from support.peer import Peer
from support.processes import child_processes

PEER_VERSION = "9.0"
SOAK = bool(os.environ.get("ROOST_SOAK"))

# No deadline: on a shared machine a slow example says nothing about the code. The same examples every time, so that
# a change is judged by what it changed; the soak looks for new ones.
settings.register_profile("usual", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("soak", parent=settings.get_profile("usual"), derandomize=False, max_examples=5000)
settings.load_profile("soak" if SOAK else "usual")

# One file of notes for each process of the tests; daemons run by other users write there, too.
NOTES = tempfile.NamedTemporaryFile(prefix="roost-heard-")  # noqa: SIM115  # until the tests end
Path(NOTES.name).chmod(0o666)
os.environ[heard.VARIABLE] = NOTES.name


def lacking_peer() -> str | None:
    """Why there is no libvirt here to compare with."""
    if os.geteuid() != 0:
        return "needs root, to start a libvirtd apart from the machine's"
    where = f"{os.environ['PATH']}:/usr/sbin"
    absent = [tool for tool in ("virsh", "libvirtd") if shutil.which(tool, path=where) is None]
    if absent:
        return f"not installed: {', '.join(absent)}"
    version = subprocess.run(["/usr/sbin/libvirtd", "--version"], capture_output=True, text=True, check=False).stdout
    # Messages and argument lists differ from release to release; these were recorded on this one.
    return (
        None if f" {PEER_VERSION}." in version else f"compares with libvirt {PEER_VERSION}; here is {version.strip()}"
    )


def lacking(mark: str) -> str | None:
    """Why tests with this mark cannot run here; None when they can."""
    if mark == "root" and os.geteuid() != 0:
        return "needs root"
    if mark == "guest" and shutil.which("qemu-system-x86_64") is None:
        return "qemu-system-x86_64 is not installed"
    if mark == "groups" and not LinuxControlGroups().has("cpu"):
        return "control groups are not mounted here"
    if mark == "peer":
        return lacking_peer()
    if mark == "soak" and not SOAK:
        return "takes long: ./dev soak runs it"
    return None


@pytest.fixture(scope="session")
def peer() -> Iterator[Peer]:
    """A libvirtd to compare with, shared by the tests of one process: use names of your own in it."""
    with Peer() as daemon:
        yield daemon


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reasons = {mark: lacking(mark) for mark in ("root", "guest", "groups", "peer", "soak")}
    for item in items:
        for mark, reason in reasons.items():
            if reason is not None and item.get_closest_marker(mark) is not None:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that passes without the procedures that docs/compatibility.md says it runs."""
    begin = heard.position()
    result = yield
    procedures.judge(pyfuncitem.nodeid, heard.since(begin))
    return result


def open_descriptors() -> dict[str, str]:
    """Number and target of this process's descriptors."""
    found = {}
    for entry in os.listdir("/proc/self/fd"):
        try:
            found[entry] = os.readlink(f"/proc/self/fd/{entry}")
        except FileNotFoundError:
            continue  # the one that listdir itself used
    return found


def left_behind(descriptors: dict[str, str], children: set[str]) -> list[str]:
    """What is there now and was not before."""
    now = open_descriptors()
    left = [f"descriptor {number} -> {target}" for number, target in now.items() if descriptors.get(number) != target]
    for pid in child_processes() - children:
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        left.append(f"process {pid}: {command[:200] or '(not waited for)'}")
    return left


@pytest.fixture(scope="session", autouse=True)
def for_life() -> None:
    """What the process makes once and keeps is no test's leak."""
    counters.netlink()


@pytest.fixture(autouse=True)
def leaves_nothing_behind() -> Iterator[None]:
    """Fail a test that leaves descriptors open or processes running.

    Fixtures of a wider scope are set up before this one, so what they hold is not counted.
    """
    descriptors, children = open_descriptors(), child_processes()
    yield
    if left_behind(descriptors, children):
        gc.collect()
        left = left_behind(descriptors, children)
        assert not left, "the test left behind: " + "; ".join(left)
