"""Snapshots and checkpoints beside others of the same domain: parents, what may replace what, and which is current."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from roost.errors import ConfigUnsupported, InvalidArg, OperationUnsupported, RoostError
from roost.model import checkpoint, snapshot
from roost.model.domain import Domain, parse
from roost.model.moment import check_lineage, disk_number
from roost.model.snapshot import Snapshot
from support.moment_documents import UUID, domain_now
from support.peer import Peer, libvirt_result

OLD = "<domainsnapshot><name>%s</name><creationTime>9</creationTime><state>%s</state>%s%s</domainsnapshot>"
INNER = (
    f"<domain type='qemu'><name>roost-set</name><uuid>{UUID}</uuid><memory>%d</memory><os><type>hvm</type></os>"
    "<devices><controller type='usb' model='none'/><memballoon model='none'/></devices></domain>"
)
PARENTS = {"a": None, "b": "a", "c": "b"}


@pytest.mark.parametrize(
    ("name", "parent", "message"),
    [
        ("a", "a", "cannot set moment a as its own parent"),
        ("d", "z", "parent z for moment d not found"),
        ("a", "c", "parent b would create cycle to a"),
        ("a", "b", "parent b would create cycle to a"),
    ],
)
def test_lineages_that_cannot_be(name: str, parent: str, message: str) -> None:
    with pytest.raises(InvalidArg, match=message):
        check_lineage(name, parent, PARENTS)


def test_lineages_that_can_be() -> None:
    check_lineage("d", "c", PARENTS)
    check_lineage("c", "a", PARENTS)
    check_lineage("a", None, PARENTS)
    check_lineage("d", "x", {"x": "y", "y": "x"})


def redefined(
    state: str, parent: str = "", memory: int = 1024, *, name: str = "one", disk_only: bool = False,
    others: dict[str, Snapshot] | None = None, inner: str | None = None,
) -> Snapshot:  # fmt: skip
    element = f"<parent><name>{parent}</name></parent>" if parent else ""
    text = OLD % (name, state, element, INNER % memory if inner is None else inner)
    return snapshot.complete_redefined(
        snapshot.parse(text), UUID, others or {}, complete_domain=as_it_is, disk_only=disk_only
    )


def as_it_is(domain: Domain) -> Domain:
    return domain


def test_a_snapshot_may_be_made_known_again_without_its_domain() -> None:
    known = redefined("shutoff")
    again = redefined("shutoff", others={"one": known}, inner="")
    assert (again.domain, again.domain_uuid) == (None, UUID)
    assert f"<domain>\n    <uuid>{UUID}</uuid>\n  </domain>" in snapshot.format(again)
    assert snapshot.parse(snapshot.format(again)) == again


REPLACEMENTS: list[tuple[str, str, Callable[[], Snapshot], str]] = [
    ("online", "shutoff", lambda: redefined("running"), "cannot change between online and offline snapshot state"),
    ("disks", "shutoff", lambda: redefined("disk-snapshot"), "cannot change between disk only and full system"),
    ("abi", "shutoff", lambda: redefined("shutoff", memory=2048), "Target domain max memory 1024"),
]


@pytest.mark.parametrize(("_name", "state", "before", "message"), REPLACEMENTS, ids=[row[0] for row in REPLACEMENTS])
def test_what_may_not_replace_it(_name: str, state: str, before: Callable[[], Snapshot], message: str) -> None:
    with pytest.raises(RoostError, match=message):
        redefined(state, others={"one": before()})


def test_disk_only_is_a_state() -> None:
    with pytest.raises(InvalidArg, match="disk-only flag for snapshot one requires disk-snapshot state"):
        redefined("shutoff", disk_only=True)


def test_a_snapshot_of_a_running_guest_has_its_memory() -> None:
    with pytest.raises(OperationUnsupported, match="internal snapshot of a running VM must include the memory state"):
        snapshot.complete(
            snapshot.parse("<domainsnapshot><memory snapshot='no'/></domainsnapshot>"),
            domain_now(),
            now=5,
            state="running",
        )


def test_firmware_in_flash_forbids_internal_snapshots() -> None:
    loader = parse(
        "<domain type='qemu'><name>x</name><os><type>hvm</type><loader type='pflash'>/f</loader></os></domain>"
    ).os.loader
    domain = replace(domain_now(), os=replace(domain_now().os, loader=loader))
    with pytest.raises(OperationUnsupported, match="pflash based firmware"):
        snapshot.complete(Snapshot(), domain, now=5, state="shutoff")


def test_disks_go_by_target_or_path() -> None:
    domain = domain_now()
    assert disk_number(domain, "vdb", 0) == disk_number(domain, "/var/lib/libvirt/roost-moments/b.qcow2", 0) == 1
    for wrong in ("b.qcow2", "/b.qcow2", "vdc"):
        with pytest.raises(ConfigUnsupported, match=f"no disk named '{wrong}'; the domain's disks are vda, vdb, hdc"):
            disk_number(domain, wrong, 0)


def test_the_first_checkpoint_and_the_last_ones_child_become_current() -> None:
    child = checkpoint.Checkpoint(name="b", parent="a")
    assert checkpoint.becomes_current(child, None)
    assert checkpoint.becomes_current(child, "a")
    assert not checkpoint.becomes_current(child, "c")


def test_what_a_checkpoint_shows_is_chosen() -> None:
    text = "<domaincheckpoint><name>a</name><disks><disk name='vda' bitmap='a' size='7'/></disks></domaincheckpoint>"
    made = replace(checkpoint.parse(text), domain=domain_now())
    assert "size='7'" in checkpoint.format(made, with_sizes=True)
    assert "size='7'" not in checkpoint.format(made)
    assert "<domain " in checkpoint.format(made)
    assert "<domain " not in checkpoint.format(made, with_domain=False)


# Each step: the state, the parent, and the memory of a snapshot made known again under the name given.
STEPS = [
    ("a", "shutoff", "", 1024), ("b", "shutoff", "a", 1024), ("c", "running", "b", 1024), ("d", "shutoff", "z", 1024),
    ("a", "shutoff", "c", 1024), ("a", "shutoff", "a", 1024), ("a", "running", "", 1024), ("c", "paused", "a", 1024),
    ("c", "shutoff", "b", 1024), ("c", "disk-snapshot", "b", 1024), ("b", "disk-snapshot", "a", 1024),
    ("b", "shutoff", "a", 2048), ("b", "shutoff", "", 1024), ("a", "shutoff", "c", 1024),
]  # fmt: skip

TAKE_STEPS = """
conn = libvirt.open(sys.argv[1])
domain = conn.defineXML(sys.argv[2])
answers = []
for text in json.loads(sys.argv[3]):
    try:
        answers.append(domain.snapshotCreateXML(text, libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE).getName())
    except libvirt.libvirtError as e:
        answers.append([e.get_error_code(), e.get_error_domain(), e.get_error_message()])
domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA)
print(json.dumps(answers))
"""


@pytest.mark.peer
def test_a_set_of_snapshots_grows_as_libvirts_does(peer: Peer) -> None:
    texts = []
    known: dict[str, Snapshot] = {}
    ours: list[object] = []
    for name, state, parent, memory in STEPS:
        element = f"<parent><name>{parent}</name></parent>" if parent else ""
        texts.append(OLD % (name, state, element, INNER % memory))
        try:
            known[name] = redefined(state, parent, memory, name=name, others=known)
            ours.append(name)
        except RoostError as error:
            ours.append([error.code, error.domain, error.message.partition(";")[0]])
    assert libvirt_result(TAKE_STEPS, peer.uri, INNER % 1024, json.dumps(texts)) == ours
