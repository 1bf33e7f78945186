"""`roostd` that is killed between two steps: run as a program, it is the daemon.

While the file that $ROOST_DIES_AFTER names is there, answers of QEMU's are counted; with the one whose number is in it
the daemon is gone, before it has acted on it. A number after a `w` is that of a write: it is gone before it has given a
file its name, or removed one. Its words after the program's name are those of another way to start it,
as `RoostDaemon` puts them there: all from --root on are the daemon's.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

VARIABLE = "ROOST_DIES_AFTER"


def main() -> int:
    from roost.daemon import main as run
    from roost.drivers.qemu.qmp import client
    from roost.drivers.qemu.qmp.messages import Message, decode

    path, seen = os.environ[VARIABLE], 0

    def step(kind: str) -> None:
        nonlocal seen
        try:
            with open(path) as file:
                wanted = file.read()
        except FileNotFoundError:
            seen = 0
            return
        if wanted.startswith("w") == (kind == "write"):
            seen += 1
            if seen == int(wanted.removeprefix("w")):
                os.kill(os.getpid(), signal.SIGKILL)

    def counted(line: bytes) -> Message:
        if b'"event":' not in line and b'"QMP":' not in line:
            step("answer")
        return decode(line)

    def noticed(call: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(call)
        def stepped(*arguments: Any, **more: Any) -> None:
            step("write")
            call(*arguments, **more)

        return stepped

    os.rename, os.unlink = noticed(os.rename), noticed(os.unlink)
    client.decode = counted  # type: ignore[attr-defined]  # no re-export: the module that reads
    return run()


if __name__ == "__main__":
    del sys.path[0]  # this directory, whose modules are the tests'
    sys.argv = ["roostd", *sys.argv[sys.argv.index("--root") :]]
    sys.exit(main())
