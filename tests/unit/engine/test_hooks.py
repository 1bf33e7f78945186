"""The administrator's scripts: which run, what they get, and what their failure says."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from roost.engine.hooks import Hooks, complaint
from roost.errors import HookScriptFailed
from roost.host.linux.processes import LinuxProcesses


def script(path: Path, body: str, mode: int = 0o755) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(mode)


def run(directory: Path, name: str, operation: str, suboperation: str, document: str = "") -> None:
    async def main() -> None:
        await Hooks(directory, LinuxProcesses()).run("qemu", name, operation, suboperation, document=document)

    asyncio.run(main())


def test_words_and_document(tmp_path: Path) -> None:
    script(
        tmp_path / "qemu",
        f'echo "$# $*" > {tmp_path}/heard; cat >> {tmp_path}/heard; echo LC_ALL=$LC_ALL >> {tmp_path}/heard',
    )
    run(tmp_path, "web", "prepare", "begin", document="<domain/>\n")
    assert (tmp_path / "heard").read_text() == "4 web prepare begin -\n<domain/>\nLC_ALL=C\n"


def test_the_files_of_the_directory_follow_by_name(tmp_path: Path) -> None:
    for name in ("qemu", "qemu.d/20", "qemu.d/10"):
        script(tmp_path / name, f"echo {name} >> {tmp_path}/heard")
    script(tmp_path / "qemu.d" / "15", f"echo never >> {tmp_path}/heard", mode=0o644)
    (tmp_path / "qemu.d" / "dir").mkdir()
    run(tmp_path, "web", "release", "end")
    assert (tmp_path / "heard").read_text().split() == ["qemu", "qemu.d/10", "qemu.d/20"]


def test_a_failure_is_told_and_the_others_run_all_the_same(tmp_path: Path) -> None:
    script(tmp_path / "qemu", "echo not today >&2; exit 3")
    script(tmp_path / "qemu.d" / "more", f"echo ran > {tmp_path}/heard; exit 4")
    with pytest.raises(HookScriptFailed, match=r"qemu web start begin -\) unexpected exit status 3: not today"):
        run(tmp_path, "web", "start", "begin")
    assert (tmp_path / "heard").read_text() == "ran\n"


def test_without_scripts_nothing_happens(tmp_path: Path) -> None:
    run(tmp_path / "absent", "web", "start", "begin")


def test_a_script_that_is_killed() -> None:
    assert complaint(["/x", "web"], {"A": "b"}, -9, "") == "Child process (A=b /x web) unexpected fatal signal 9: "
