"""`roostd` that is killed between two steps: run as a program, it is the daemon.

While the file that $ROOST_DIES_AFTER names is there, answers of QEMU's are counted; with the one whose number is in it
the daemon is gone, before it has acted on it. Its words after the program's name are those of another way to start it,
as `RoostDaemon` puts them there: all from --root on are the daemon's.
"""

from __future__ import annotations

import os
import signal
import sys

VARIABLE = "ROOST_DIES_AFTER"


def main() -> int:
    from roost.daemon import main as run
    from roost.drivers.qemu.qmp import client
    from roost.drivers.qemu.qmp.messages import Message, decode

    path, seen = os.environ[VARIABLE], 0

    def counted(line: bytes) -> Message:
        nonlocal seen
        if not os.path.exists(path):
            seen = 0
        elif b'"event":' not in line and b'"QMP":' not in line:
            seen += 1
            with open(path) as file:
                if seen == int(file.read()):
                    os.kill(os.getpid(), signal.SIGKILL)
        return decode(line)

    client.decode = counted  # type: ignore[attr-defined]  # no re-export: the module that reads
    return run()


if __name__ == "__main__":
    del sys.path[0]  # this directory, whose modules are the tests'
    sys.argv = ["roostd", *sys.argv[sys.argv.index("--root") :]]
    sys.exit(main())
