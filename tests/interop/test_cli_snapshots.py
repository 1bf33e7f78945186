"""Snapshots: roost beside virsh, each in a `test:///default` of its own."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from roost.client.blocking import Client
from support.peer import Peer
from support.programs import Outcome, Program, in_test_driver, lines

pytestmark = [pytest.mark.peer, pytest.mark.root]

#: One after the other.
STORY = """
snapshot-current test
snapshot-list test
snapshot-list test --tree
snapshot-create-as test s1 'first one'
snapshot-create-as test s2
snapshot-create-as test S3 --description x
snapshot-list test --name
snapshot-list test --name --topological
snapshot-list test --tree
snapshot-list test
snapshot-list test --parent
snapshot-list test --from s1 --parent
snapshot-list test --roots --name
snapshot-list test --leaves --name
snapshot-list test --no-leaves --name
snapshot-list test --from s1 --name
snapshot-list test --from s1 --descendants --name
snapshot-list test --current --name
snapshot-list test --from s1 --tree
snapshot-list test --from s1 --tree --descendants
snapshot-list test --from s1 --current
snapshot-list test --tree --name
snapshot-list test --tree --parent
snapshot-list test --tree --leaves
snapshot-list test --roots --parent
snapshot-list test --roots --from s1
snapshot-list test --roots --current
snapshot-list test --descendants
snapshot-list test --from nosuch
snapshot-list test --metadata --name
snapshot-list test --no-metadata --name
snapshot-list test --active --name
snapshot-list test --inactive --name
snapshot-list test --disk-only --name
snapshot-list test --internal --name
snapshot-list test --external --name
snapshot-list nosuch
snapshot-current test --name
snapshot-current test --name --snapshotname s1
snapshot-current test s1
snapshot-current test --name
snapshot-current test nosuch
snapshot-info test s2
snapshot-info test --current
snapshot-info test s2 --current
snapshot-info test
snapshot-info test nosuch
snapshot-parent test s2
snapshot-parent test s1
snapshot-parent test --current
snapshot-parent test
snapshot-dumpxml test nosuch
snapshot-dumpxml test
snapshot-dumpxml test s1 --xpath /domainsnapshot/name
snapshot-dumpxml test s1 --xpath //name --wrap
snapshot-revert test s1
snapshot-revert test s1 --paused
domstate test
snapshot-revert test s1 --running
snapshot-revert test s1 --running --paused
snapshot-revert test s1 --force
snapshot-revert test
snapshot-revert test nosuch
snapshot-revert test s1 --current
snapshot-create-as test s4 --diskspec vda,snapshot=no --print-xml
snapshot-create-as test s4 --diskspec vda,snapshot=external,driver=qcow2,stype=file,file=/a --diskspec vdb --print-xml
snapshot-create-as test s4 --diskspec vda,stype=block,file=/dev/x,,y --print-xml
snapshot-create-as test s4 --diskspec vda,stype=nosuch --print-xml
snapshot-create-as test s4 --diskspec vda,snapshot=no,snapshot=no --print-xml
snapshot-create-as test s4 --diskspec vda,nosuch=no --print-xml
snapshot-create-as test s4 --diskspec vda,no --print-xml
snapshot-create-as test s4 --diskspec vda,file= --print-xml
snapshot-create-as test s4 --memspec /x/y,snapshot=external --print-xml
snapshot-create-as test s4 --memspec file=/x/y --print-xml
snapshot-create-as test s4 --memspec x --print-xml
snapshot-create-as test s4 --memspec /x,/y --print-xml
snapshot-create-as test 'a<b' "it's" --print-xml
snapshot-create-as test --print-xml
snapshot-create-as test '' --print-xml
snapshot-create-as test s1
snapshot-create-as test s4 --no-metadata
snapshot-create-as test s4 --halt
domstate test
start test
snapshot-create-as test s5 --disk-only
snapshot-create-as test s5 --live
snapshot-create-as test s5 --quiesce
snapshot-create-as test s6 --atomic
snapshot-create-as test s7 --validate
snapshot-create test /proc/nonexistent
snapshot-create test /etc/hostname
snapshot-create test --redefine
snapshot-create test --current
snapshot-list test --tree
list --with-snapshot
list --without-snapshot --all
snapshot-delete test s2 --children-only
snapshot-delete test s2 --metadata
snapshot-delete test nosuch
snapshot-delete test
snapshot-delete test s1 --current
snapshot-delete test s1 --children --children-only
snapshot-list test --name
snapshot-delete test s1 --children
snapshot-delete test --current
snapshot-list test --name
destroy test
start test
checkpoint-list test --tree --leaves
checkpoint-list test --descendants
checkpoint-create-as test c1 --diskspec vda,checkpoint=bitmap,bitmap=b --print-xml
checkpoint-create-as test c1 --diskspec vda,foo --print-xml
checkpoint-create-as test c1 --diskspec vda,,b,checkpoint=no --print-xml
snapshot-create-as test last
destroy test
list --all --with-snapshot
list --all --without-snapshot
undefine test
undefine test --snapshots-metadata
list --all
snapshot-create-as nosuch x
"""

#: What an editor does with the document of s1, which s2 and s3 come from, and the words that ask for it.
EDITS = [
    ("s/first/changed/", "snapshot-edit test s1"),
    ("s/first/first/", "snapshot-edit test s1"),
    ("s/first/changed/", "snapshot-edit test s1 --current"),
    ("s/first/first/", "snapshot-edit test s1 --current"),
    ("s/second/changed/", "snapshot-edit test --current"),
    ("/name.s1/s/s1/other/", "snapshot-edit test s1"),
    ("/name.s1/s/s1/other/", "snapshot-edit test s1 --rename"),
    ("/name.s1/s/s1/other/", "snapshot-edit test s1 --clone"),
    ("/name.s1/s/s1/s2/", "snapshot-edit test s1 --clone"),
    ("s/a/b/", "snapshot-edit test s1 --clone --rename"),
    ("s/a/b/", "snapshot-edit test"),
    ("s/a/b/", "snapshot-edit test nosuch"),
]
BEFORE = ("snapshot-create-as test s1 first", "snapshot-create-as test s2 second")
AFTER = ("snapshot-list test --tree", "snapshot-current test --name", "snapshot-dumpxml test s1")


@contextmanager
def world(peer: Peer) -> Iterator[str]:
    """The URI of a `test:///default` that lives as long as somebody is connected with it."""
    uri = in_test_driver(peer)
    with closing(Client.open(uri)):
        yield uri


def play(program: Program, peer: Peer, scenes: list[str]) -> list[tuple[str, Outcome]]:
    with world(peer) as uri:
        return [(scene, steady(program("-c", uri, *shlex.split(scene)))) for scene in scenes]


def steady(outcome: Outcome) -> Outcome:
    out = re.sub(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", outcome.out)
    return outcome._replace(out=re.sub(r"<creationTime>\d+<", "<creationTime>N<", out))


def test_one_after_the_other(peer: Peer, programs: tuple[Program, Program]) -> None:
    pytest.importorskip("lxml", reason="lxml is not installed")
    virsh, roost = (play(program, peer, lines(STORY)) for program in programs)
    for theirs, ours in zip(virsh, roost, strict=True):
        assert ours == theirs


@pytest.mark.parametrize(("change", "words"), EDITS)
def test_editing(
    peer: Peer,
    programs: tuple[Program, Program],
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    words: str,
) -> None:
    monkeypatch.setenv("VISUAL", f"sed -i {change}")
    scenes = [*BEFORE, words, *AFTER]
    virsh, roost = (play(program, peer, scenes) for program in programs)
    for theirs, ours in zip(virsh, roost, strict=True):
        assert ours == theirs


def test_what_is_refused_after_editing(
    peer: Peer, programs: tuple[Program, Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISUAL", "sed -i s/domainsnapshot/other/")
    virsh, roost = (play(program, peer, [*BEFORE, "snapshot-edit test s1"])[-1][1] for program in programs)
    assert virsh.code == -11, "virsh does not crash any more: compare"
    assert roost.code == 1
    assert roost.err.splitlines() == [
        "error: Failed.",
        "error: Failed to update s1",
        "error: XML error: expecting root element of 'domainsnapshot', not 'other'",
    ]
