"""Commands about snapshots and checkpoints: what they send, and what they say."""

from __future__ import annotations

import pytest

from roost.constants import snapshot as S
from roost.errors import NoDomainSnapshot, OperationFailed, SnapshotRevertRisky
from roost.protocol.types import Checkpoint, Domain, Snapshot
from support.answers import Answers
from unit.cli.conftest import Roost

WEB = Domain("web", bytes(range(16)), 7)
PARENTS = {"base": None, "Next": "base", "after": "Next"}


def document(name: str) -> str:
    parent = f"<parent><name>{PARENTS[name]}</name></parent>" if PARENTS[name] else ""
    memory = "<memory snapshot='external'/>" if name == "Next" else ""
    return f"<domainsnapshot>{parent}<state>running</state>{memory}<creationTime>86400</creationTime></domainsnapshot>"


@pytest.fixture(autouse=True)
def domain(daemon: Answers) -> None:
    def by_name(domain: Domain, name: str, flags: int) -> tuple[Snapshot]:
        if name not in PARENTS:
            raise NoDomainSnapshot(f"no domain snapshot with matching name '{name}'")
        return (Snapshot(name, domain),)

    def parent(snapshot: Snapshot, flags: int) -> tuple[Snapshot]:
        name = PARENTS[snapshot.name]
        if name is None:
            raise NoDomainSnapshot("none")
        return (Snapshot(name, WEB),)

    daemon.answers |= {
        "DOMAIN_LOOKUP_BY_NAME": lambda name: (WEB,),
        "DOMAIN_SNAPSHOT_CREATE_XML": lambda domain, text, flags: (Snapshot("made", WEB),),
        "DOMAIN_SNAPSHOT_LOOKUP_BY_NAME": by_name,
        "DOMAIN_SNAPSHOT_GET_PARENT": parent,
        "DOMAIN_SNAPSHOT_GET_XML_DESC": lambda snapshot, flags: (document(snapshot.name),),
        "DOMAIN_SNAPSHOT_CURRENT": lambda domain, flags: (Snapshot("Next", WEB),),
        "DOMAIN_SNAPSHOT_IS_CURRENT": lambda snapshot, flags: (int(snapshot.name == "Next"),),
        "DOMAIN_SNAPSHOT_NUM_CHILDREN": lambda snapshot, flags: (flags + 1,),
        "DOMAIN_SNAPSHOT_HAS_METADATA": lambda snapshot, flags: (1,),
        "DOMAIN_LIST_ALL_SNAPSHOTS": lambda domain, need, flags: ([Snapshot(name, WEB) for name in PARENTS], 3),
        "DOMAIN_SNAPSHOT_DELETE": lambda snapshot, flags: (),
        "DOMAIN_REVERT_TO_SNAPSHOT": lambda snapshot, flags: (),
    }


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        ((), 0),
        (("--no-metadata", "--halt"), S.CREATE_NO_METADATA | S.CREATE_HALT),
        (("--disk-only", "--reuse-external", "--quiesce", "--atomic"), 16 | 32 | 64 | 128),
        (("--live", "--validate"), S.CREATE_LIVE | S.CREATE_VALIDATE),
    ],
)
def test_flags_of_a_new_one(roost: Roost, daemon: Answers, words: tuple[str, ...], flags: int) -> None:
    assert roost("snapshot-create-as", "web", *words).out == "Domain snapshot made created\n"
    assert roost("-q", "snapshot-create", "web", *words).out == ""
    assert [call[2] for call in daemon.sent("DOMAIN_SNAPSHOT_CREATE_XML")] == [flags, flags]


def test_descriptions_keep_their_lines(roost: Roost, daemon: Answers) -> None:
    roost("snapshot-create-as", "web", "x", "one\n two & three\n", "vda,snapshot=no")
    assert daemon.sent("DOMAIN_SNAPSHOT_CREATE_XML")[0][1] == (
        "<domainsnapshot>\n  <name>x</name>\n  <description>one\n two &amp; three\n</description>\n"
        "  <disks>\n    <disk name='vda' snapshot='no'/>\n  </disks>\n</domainsnapshot>\n"
    )


def test_lists(roost: Roost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    assert roost("-q", "snapshot-list", "web", "--parent").out.split() == [
        *("after", "1970-01-02", "00:00:00", "+0000", "running", "Next"),
        *("base", "1970-01-02", "00:00:00", "+0000", "running"),
        *("Next", "1970-01-02", "00:00:00", "+0000", "running", "base"),
    ]  # fmt: skip
    assert roost("snapshot-list", "web", "--name", "--topological").out == "base\nNext\nafter\n\n"


def test_information(roost: Roost) -> None:
    assert roost("snapshot-info", "web", "--current").out == (
        "Name:           Next\nDomain:         web\nCurrent:        yes\nState:          running\n"
        "Location:       external\nParent:         base\nChildren:       1\nDescendants:    2\nMetadata:       yes\n\n"
    )


def test_a_risky_revert_is_asked_for_twice(roost: Roost, daemon: Answers) -> None:
    def risky(snapshot: Snapshot, flags: int) -> tuple[()]:
        if not flags & S.REVERT_FORCE:
            raise SnapshotRevertRisky("must respawn")
        return ()

    daemon.answers["DOMAIN_REVERT_TO_SNAPSHOT"] = risky
    assert roost("snapshot-revert", "web", "base").err.splitlines()[0] == "error: Failed to revert snapshot base"
    assert roost("snapshot-revert", "web", "base", "--paused", "--force").code == 0
    flags = [call[1] for call in daemon.sent("DOMAIN_REVERT_TO_SNAPSHOT")]
    assert flags == [0, S.REVERT_PAUSED, S.REVERT_PAUSED | S.REVERT_FORCE]


def test_what_cannot_be_renamed(roost: Roost, daemon: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new one is taken away again, and where that fails both reasons are told."""

    def refuse(snapshot: Snapshot, flags: int) -> tuple[()]:
        raise OperationFailed("it stays")

    monkeypatch.setenv("VISUAL", "sed -i s/running/paused/")
    PARENTS_WITH_NEW = {**PARENTS, "made": None}
    daemon.answers["DOMAIN_SNAPSHOT_LOOKUP_BY_NAME"] = lambda domain, name, flags: (
        Snapshot(next(each for each in PARENTS_WITH_NEW if each == name), domain),
    )
    outcome = roost("snapshot-edit", "web", "base")
    assert outcome.err == ("error: Must use --rename or --clone to change base to made\nerror: Failed to update base\n")
    daemon.answers["DOMAIN_SNAPSHOT_DELETE"] = refuse
    outcome = roost("snapshot-edit", "web", "base")
    assert outcome.err.splitlines()[1:] == ["error: Failed to clean up made", "error: Failed to update base"]
    assert [(call[0].name, call[1]) for call in daemon.sent("DOMAIN_SNAPSHOT_DELETE")] == [("made", 2), ("made", 2)]


def test_checkpoints_share_the_words(roost: Roost, daemon: Answers) -> None:
    made = Checkpoint("made", WEB)
    daemon.answers |= {
        "DOMAIN_CHECKPOINT_CREATE_XML": lambda domain, text, flags: (made,),
        "DOMAIN_CHECKPOINT_LOOKUP_BY_NAME": lambda domain, name, flags: (made,),
        "DOMAIN_CHECKPOINT_DELETE": lambda checkpoint, flags: (),
    }
    assert roost("checkpoint-create-as", "web", "c", "--diskspec", "vda,bitmap=b,,c,checkpoint=bitmap").code == 0
    assert daemon.sent("DOMAIN_CHECKPOINT_CREATE_XML")[0][1] == (
        "<domaincheckpoint>\n  <name>c</name>\n  <disks>\n"
        "    <disk name='vda' checkpoint='bitmap' bitmap='b,c'/>\n  </disks>\n</domaincheckpoint>\n"
    )
    assert roost("checkpoint-create-as", "web", "--diskspec", "vda,bitmap=b,bitmap=c").code == 1
    assert roost("checkpoint-delete", "web", "made", "--metadata").out == "Domain checkpoint made deleted\n\n"
    assert roost("checkpoint-delete", "web").err == "error: --checkpointname is required\n"
