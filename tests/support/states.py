"""A domain in every state that a domain may be in, and what each operation answers there.

What libvirtd 9.0 answered is kept in tests/golden/states.json; `PYTHONPATH=tests python -m support.states` asks it
anew.
"""

from __future__ import annotations

import contextlib
import functools
import json
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from roost.constants import blocks as B
from roost.constants import domain as D
from roost.contract.references import DomainRef
from roost.contract.typed_params import ullong
from roost.protocol import QEMU
from support.operations import CHANGES, FILES, MOVES, QUESTIONS, Operation
from support.peer import Peer
from support.raw import RawClient, Refusal

RECORDED = Path(__file__).parents[1] / "golden" / "states.json"

NAME, UUID = "subject", "8d7f4ad2-5f0b-4b52-9a51-1c1f6d3cf001"
XML = f"""<domain type='qemu'><name>{NAME}</name><uuid>{UUID}</uuid><memory unit='KiB'>65536</memory>
<vcpu current='1'>2</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
<on_crash>preserve</on_crash>
<devices><controller type='usb' model='qemu-xhci'/>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{FILES}/disk.img'/>
<target dev='vda' bus='virtio'/></disk>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{FILES}/other.img'/>
<target dev='vdb' bus='virtio'/></disk>
<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>
<serial type='pty'/><panic model='isa'/>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
</devices></domain>"""

_IMAGES = ("a.img", "disk.img", "other.img", "copied.img")
#: Looks at a change that takes a moment; each 0.05 s after the one before.
_LOOKS = 400


class Subject:
    """The domain under one daemon, and how it comes into each of the states."""

    def __init__(self, socket: Path, files: Path) -> None:
        self.files = files
        self.client = RawClient(socket)
        self.client.open("qemu:///system")
        self._readonly = RawClient(socket.with_name(f"{socket.name}-ro"))
        self._readonly.open("qemu:///system")
        self._document = XML.replace(FILES, str(files))
        self.ref = DomainRef(NAME, bytes.fromhex(UUID.replace("-", "")), -1)

    def close(self) -> None:
        """Away with everything."""
        self._clear()
        self.client.sock.close()
        self._readonly.sock.close()

    def ask(self, operation: Operation, *, readonly: bool = False) -> Any:
        """The answer, or a Refusal."""
        client = self._readonly if readonly else self.client
        return client.call(operation.name, *operation.arguments(self.ref, self.files), program=operation.program)

    def state(self) -> int:
        """constants.domain's number, or -1 for a domain that there is not."""
        answer = self.client.call("DOMAIN_GET_STATE", self.ref, 0)
        return -1 if isinstance(answer, Refusal) else int(answer[0])

    def _call(self, name: str, *values: object, **options: Any) -> Any:
        answer = self.client.call(name, *values, **options)
        assert not isinstance(answer, Refusal), (name, values, answer)
        return answer

    def _type(self, line: str) -> None:
        """A line for QEMU's own monitor."""
        self._call("DOMAIN_MONITOR_COMMAND", self.ref, line, 1, program=QEMU)

    def _becomes(self, state: int, line: str) -> None:
        """Type the line until the domain is in that state."""
        for _ in range(_LOOKS):
            self._type(line)
            if self.state() == state:
                return
            time.sleep(0.05)
        raise AssertionError(f"the guest is in state {self.state()}, not {state}")

    def _clear(self) -> None:
        for name in (NAME, "another"):
            found = self.client.call("DOMAIN_LOOKUP_BY_NAME", name)
            if not isinstance(found, Refusal):
                self.client.call("DOMAIN_DESTROY", found[0])
                self.client.call("DOMAIN_UNDEFINE_FLAGS", found[0], D.UNDEFINE_MANAGED_SAVE)
        for name in ("image", *_IMAGES):
            with contextlib.suppress(FileNotFoundError):
                (self.files / name).unlink()
        for name in _IMAGES:
            (self.files / name).write_bytes(bytes(1 << 20))

    # -- the states ------------------------------------------------------------------------

    def unknown(self) -> None:
        """It was there, and is undefined."""
        self.shut_off()
        self._call("DOMAIN_UNDEFINE", self.ref)

    def shut_off(self) -> None:
        """It is defined."""
        self._clear()
        self.ref = self._call("DOMAIN_DEFINE_XML", self._document)[0]

    def running(self) -> None:
        """Its firmware looks in vain for something to boot."""
        self.shut_off()
        self._call("DOMAIN_CREATE", self.ref)
        self.ref = self._call("DOMAIN_LOOKUP_BY_NAME", NAME)[0]

    def paused(self) -> None:
        """By a client."""
        self.running()
        self._call("DOMAIN_SUSPEND", self.ref)

    def transient(self) -> None:
        """It runs without a definition."""
        self._clear()
        self.ref = self._call("DOMAIN_CREATE_XML", self._document, 0)[0]

    def crashed(self) -> None:
        """As a guest's driver of the panic device does it."""
        self.running()
        self._becomes(D.CRASHED, "o/b 0x505 1")

    def asleep(self) -> None:
        """As a guest with ACPI does it, once the firmware has put the registers where they are."""
        self.running()
        self._becomes(D.PMSUSPENDED, "o/h 0x604 0x2400")

    def copying(self) -> None:
        """A block job runs, too slowly to come to its end."""
        self.running()
        copy = f"<disk type='file'><source file='{self.files}/copied.img'/><driver type='raw'/></disk>"
        flags = B.COPY_REUSE_EXT | B.COPY_TRANSIENT_JOB
        self._call("DOMAIN_BLOCK_COPY", self.ref, "vda", copy, [ullong("bandwidth", 1)], flags)


STATES: Mapping[str, Callable[[Subject], None]] = {
    "unknown": Subject.unknown,
    "shut off": Subject.shut_off,
    "running": Subject.running,
    "paused": Subject.paused,
    "transient": Subject.transient,
    "crashed": Subject.crashed,
    "asleep": Subject.asleep,
    "copying": Subject.copying,
}

#: What an operation answered: a refusal, or None for what was done.
Outcomes = dict[str, Refusal | None]


def play(subject: Subject, state: str) -> Outcomes:
    """Every operation in one state. What moved the domain out of it is undone; smaller changes stay."""
    outcomes: Outcomes = {}
    STATES[state](subject)
    expected = subject.state()
    for operation in (*QUESTIONS, *CHANGES, *MOVES):
        answer = subject.ask(operation)
        refusal = answer if isinstance(answer, Refusal) else None
        outcomes[operation.title] = refusal
        if (operation in MOVES and refusal is None) or subject.state() != expected:
            STATES[state](subject)
    return outcomes


def play_readonly(subject: Subject) -> Outcomes:
    """Every operation on a running domain, by a client that may only look."""
    subject.running()
    outcomes: Outcomes = {}
    for operation in (*QUESTIONS, *CHANGES, *MOVES):
        answer = subject.ask(operation, readonly=True)
        outcomes[operation.title] = answer if isinstance(answer, Refusal) else None
    return outcomes


@contextlib.contextmanager
def subject_of(socket: Path) -> Iterator[Subject]:
    """The domain under the daemon that listens there."""
    # Not pytest's own directory: QEMU's user must be able to enter.
    files = Path(tempfile.mkdtemp(prefix="roost-states-", dir="/tmp"))
    files.chmod(0o755)
    try:
        with contextlib.closing(Subject(socket, files)) as subject:
            yield subject
    finally:
        shutil.rmtree(files)


READONLY = "read-only"
PLAYS: Mapping[str, Callable[[Subject], Outcomes]] = {
    **{state: functools.partial(play, state=state) for state in STATES},
    READONLY: play_readonly,
}


def record(socket: Path) -> dict[str, Outcomes]:
    """Every operation in every state, with the directory's name taken out of what is said."""
    with subject_of(socket) as subject:
        return {name: comparable(subject, each(subject)) for name, each in PLAYS.items()}


def comparable(subject: Subject, outcomes: Outcomes) -> Outcomes:
    """Without the names of this run's own directories."""

    def clean(text: str) -> str:
        return re.sub("'[^']*/save/", "'(saves)/", text.replace(str(subject.files), FILES))

    return {
        title: None if refusal is None else refusal._replace(message=clean(refusal.message))
        for title, refusal in outcomes.items()
    }


def write(outcomes: Mapping[str, Outcomes]) -> str:
    """The recording's text: for each operation its refusals, each with the states it comes in."""
    found: dict[str, dict[Refusal, list[str]]] = {}
    for state, answers in outcomes.items():
        for title, refusal in answers.items():
            if refusal is not None:
                found.setdefault(title, {}).setdefault(refusal, []).append(state)
    lines = [
        f"{json.dumps(title)}: {json.dumps([[*refusal, states] for refusal, states in refusals.items()])}"
        for title, refusals in found.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def read() -> dict[str, Outcomes]:
    """By state, what libvirtd refuses there."""
    found: dict[str, Outcomes] = {state: {} for state in PLAYS}
    for title, refusals in json.loads(RECORDED.read_text()).items():
        for code, domain, message, states in refusals:
            for state in states:
                found[state][title] = Refusal(code, domain, message)
    return found


if __name__ == "__main__":
    with Peer() as peer:
        RECORDED.write_text(write(record(peer.socket_path)))
