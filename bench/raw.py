"""QEMU started with a guest's own argument list and nothing around it: the least that any manager can take."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.sides import MeasureError

DESCRIPTOR = re.compile(r"\bfd=(\d+)")


def arguments_of(name: str) -> list[str]:
    """The argument list of the running guest with this name."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().decode(errors="surrogateescape").split("\0")[:-1]
            if words and "qemu-system" in words[0] and any(f"guest={name}," in f"{word}," for word in words):
                return words
    raise MeasureError(f"there is no process of guest {name}")


@contextlib.contextmanager
def listening() -> Iterator[tuple[socket.socket, str]]:
    """A listening unix socket, as daemons hand QEMU for its monitor, and its path."""
    with tempfile.TemporaryDirectory(prefix="roost-raw-") as directory, socket.socket(socket.AF_UNIX) as listener:
        path = f"{directory}/monitor"
        listener.bind(path)
        listener.listen(1)
        yield listener, path


def start(arguments: list[str]) -> float:
    """Seconds from the spawn until QEMU has answered `cont`."""
    with listening() as (listener, path):
        # The monitor's descriptor has another number here; this guest is given no others.
        words = [DESCRIPTOR.sub(f"fd={listener.fileno()}", word) for word in arguments]
        begin = time.perf_counter()
        with subprocess.Popen(
            words,
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as process:
            try:
                with socket.socket(socket.AF_UNIX) as monitor:
                    monitor.connect(path)
                    listener.close()
                    talk(monitor)
                return time.perf_counter() - begin
            except (OSError, ValueError) as error:
                process.kill()
                words_of_qemu = process.stderr.read().decode() if process.stderr else ""
                raise MeasureError(f"raw QEMU: {error}: {words_of_qemu}") from error
            finally:
                process.kill()


def talk(monitor: socket.socket) -> None:
    """Greeting, capabilities, cont."""
    monitor.settimeout(60)
    with monitor.makefile("rwb") as stream:
        json.loads(stream.readline())
        for command in ("qmp_capabilities", "cont"):
            stream.write(json.dumps({"execute": command}).encode() + b"\n")
            stream.flush()
            while "event" in (answer := json.loads(stream.readline())):
                pass
            if "return" not in answer:
                raise ValueError(f"{command}: {answer}")
