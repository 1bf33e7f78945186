"""Every operation on a domain in every state that a domain may be in: who is refused, with what code, by which part, in
which words, is as libvirtd 9.0 has it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from support.daemon import RoostDaemon
from support.peer import Peer
from support.raw import Refusal
from support.states import PLAYS, RECORDED, comparable, read, record, subject_of, write

pytestmark = [pytest.mark.groups, pytest.mark.guest, pytest.mark.root]

#: Questions that libvirtd refuses for their flags before it looks for the domain.
_FLAGS_FIRST = """
GET_SCHEDULER_PARAMETERS_FLAGS(16, 3) GET_MEMORY_PARAMETERS(8, 3) GET_BLKIO_PARAMETERS(8, 3) GET_VCPUS_FLAGS(3,)
GET_BLOCK_IO_TUNE('vda', 32, 3) GET_VCPU_PIN_INFO(4, 1, 3) GET_EMULATOR_PIN_INFO(1, 3) GET_IOTHREAD_INFO(3,)
GET_METADATA(0, None, 3)
"""

#: (operation, state): why the answer is another under roostd.
DIFFERENT: dict[tuple[str, str], str] = {
    **{
        (f"DOMAIN_{title}", "unknown"): "the domain is looked for first"
        for title in re.split(r"(?<=\))\s", _FLAGS_FIRST.strip())
    },
    ("DOMAIN_GET_SECURITY_LABEL_LIST()", "unknown"): "nothing is no answer about a domain that there is not",
    ("DOMAIN_BACKUP_BEGIN('<nonsense/>', None, 0)", "unknown"): "the document is read first",
    ("DOMAIN_AGENT_SET_RESPONSE_TIMEOUT(-2, 0)", "shut off"): "it is the running guest's, and nobody would keep it",
    ("DOMAIN_SET_TIME(1, 0, 0)", "shut off"): "what is wrong is said, not what QEMU might lack",
    ("DOMAIN_REVERT_TO_SNAPSHOT(0,)", "copying"): "the snapshot is looked for first",
    ("DOMAIN_CORE_DUMP('(files)/nowhere/core', 0)", "copying"): "the guest is looked at before the file is made",
    ("DOMAIN_RENAME('', 0)", "read-only"): "who may only look is told so",
}


def is_alike(ours: Refusal | None, theirs: Refusal | None) -> bool:
    """Our text may go on after libvirt's with the cause (after a colon) and the cure (after a semicolon)."""
    if ours is None or theirs is None:
        return ours is theirs
    if (ours.code, ours.domain) != (theirs.code, theirs.domain):
        return False
    return ours.message == theirs.message or ours.message.startswith((f"{theirs.message}; ", f"{theirs.message}: "))


@pytest.fixture(scope="module")
def daemon() -> Iterator[RoostDaemon]:
    with RoostDaemon() as running:
        yield running


@pytest.mark.parametrize("state", PLAYS)
def test_state(daemon: RoostDaemon, state: str) -> None:
    expected = read()[state]
    with subject_of(daemon.socket_path) as subject:
        answers = comparable(subject, PLAYS[state](subject))
    assert "failed unexpectedly" not in daemon.log
    wrong = []
    for title, ours in answers.items():
        theirs, why = expected.get(title), DIFFERENT.get((title, state))
        if is_alike(ours, theirs) == (why is not None):
            wrong.append(f"{title}: {ours}, libvirtd: {theirs}; {why}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.peer
@pytest.mark.soak
def test_the_recording(peer: Peer) -> None:
    assert write(record(peer.socket_path)) == RECORDED.read_text()
