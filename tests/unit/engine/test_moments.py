"""The tree of a domain's snapshots: kept, listed, forgotten, and read again from what somebody may have changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.constants import domain as D
from roost.constants import snapshot as S
from roost.contract.references import DomainRef, MomentRef
from roost.engine.moments import FileShelf, Shelf
from roost.engine.snapshots import RecordSnapshots, SnapshotStore
from roost.engine.table import DomainTable
from roost.errors import From, InvalidArg, NoDomainSnapshot, SystemCallError
from roost.model import snapshot as model
from roost.model.snapshot import KeptSnapshot, Snapshot, SnapshotDisk, SnapshotState

#: name -> (parent, state, whether it is external)
TREE: dict[str, tuple[str | None, SnapshotState, bool]] = {
    "a": (None, "running", False),
    "b": ("a", "shutoff", False),
    "c": ("a", "disk-snapshot", True),
    "d": ("c", "paused", True),
    "e": (None, "shutoff", True),
}


def made(name: str, parent: str | None, state: SnapshotState = "shutoff", *, external: bool = False) -> Snapshot:
    disks = (SnapshotDisk(name="vda", snapshot="external" if external else "internal"),)
    return Snapshot(name=name, parent=parent, state=state, creation_time=100 + ord(name[0]), disks=disks)


def filled(store: SnapshotStore) -> SnapshotStore:
    for name, (parent, state, external) in TREE.items():
        store.keep("web", made(name, parent, state, external=external))
    return store


def on_disk(directory: Path) -> SnapshotStore:
    shelf = FileShelf(
        directory,
        "snapshot",
        encode=lambda _, each: model.format_kept(each),
        decode=model.parse_kept,
        companions=(".more",),
    )
    return SnapshotStore(shelf, From.QEMU)


@pytest.fixture(params=["memory", "disk"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> SnapshotStore:
    return filled(SnapshotStore(Shelf(), From.TEST) if request.param == "memory" else on_disk(tmp_path))


class Desk:
    """What clients are answered about one domain."""

    def __init__(self, store: SnapshotStore) -> None:
        table: DomainTable[None] = DomainTable(From.TEST)
        self.table = table
        self.record = table.add("web", bytes(16))
        self.snapshots = RecordSnapshots(table, store)

    @property
    def ref(self) -> DomainRef:
        return self.record.ref

    def names(self, flags: int, below: str | None = None) -> str:
        if below is None:
            found = self.snapshots.list_all(self.ref, flags)
        else:
            found = self.snapshots.children(MomentRef(below, self.ref), flags)
        return "".join(each.name for each in found)


@pytest.mark.parametrize(
    ("flags", "below", "names"),
    [
        (0, None, "abcde"),
        (S.LIST_ROOTS, None, "ae"),
        (S.LIST_LEAVES, None, "bde"),
        (S.LIST_NO_LEAVES, None, "ac"),
        (S.LIST_LEAVES | S.LIST_NO_LEAVES, None, "abcde"),
        (S.LIST_INACTIVE, None, "be"),
        (S.LIST_ACTIVE, None, "ad"),
        (S.LIST_DISK_ONLY | S.LIST_ACTIVE, None, "acd"),
        (S.LIST_INTERNAL, None, "ab"),
        (S.LIST_EXTERNAL | S.LIST_LEAVES, None, "de"),
        (S.LIST_METADATA | S.LIST_TOPOLOGICAL, None, "abcde"),
        (S.LIST_NO_METADATA, None, ""),
        (0, "a", "bc"),
        (S.LIST_DESCENDANTS, "a", "bcd"),
        (S.LIST_DESCENDANTS | S.LIST_LEAVES, "a", "bd"),
        (0, "e", ""),
    ],
)
def test_lists(store: SnapshotStore, flags: int, below: str | None, names: str) -> None:
    assert Desk(store).names(flags, below) == names


def test_what_clients_are_told(store: SnapshotStore) -> None:
    desk = Desk(store)
    answers, ref = desk.snapshots, desk.ref
    assert answers.current(ref, 0) == MomentRef("e", ref)
    assert answers.has_current(ref, 0)
    assert answers.is_current(MomentRef("e", ref), 0)
    assert not answers.is_current(MomentRef("a", ref), 0)
    assert answers.has_metadata(MomentRef("a", ref), 0)
    assert answers.parent(MomentRef("d", ref), 0) == MomentRef("c", ref)
    assert answers.lookup(ref, "b", 0) == MomentRef("b", ref)
    assert "active" not in answers.describe(MomentRef("e", ref), 0)
    with pytest.raises(NoDomainSnapshot, match="snapshot 'a' does not have a parent"):
        answers.parent(MomentRef("a", ref), 0)
    with pytest.raises(NoDomainSnapshot, match="no domain snapshot with matching name 'z'; there are a, b, c, d, e"):
        answers.lookup(ref, "z", 0)
    with pytest.raises(InvalidArg, match=r"unsupported flags \(0x800\) in function DomainListAllSnapshots"):
        answers.list_all(ref, 2048)
    assert [each.name for each in desk.table.list(D.LIST_DOMAINS_HAS_SNAPSHOT)] == ["web"]
    assert desk.table.list(D.LIST_DOMAINS_NO_SNAPSHOT) == []
    desk.table.remove(desk.record)
    assert store.of("web") == {}


def test_what_is_forgotten(store: SnapshotStore) -> None:
    store.set_current("web", "d")
    store.forget("web", "d")
    current = store.current("web")
    assert current is not None
    assert current.name == "c"
    store.forget("web", "a")
    assert {name: each.parent for name, each in store.of("web").items()} == {"b": None, "c": None, "e": None}
    store.forget("web", "c")
    assert store.current("web") is None
    store.keep("web", made("b", "e"), current=False)
    assert list(store.of("web")) == ["e", "b"]


def test_another_daemon_reads_the_same(tmp_path: Path) -> None:
    store = filled(on_disk(tmp_path))
    store.set_current("web", "c")
    store.rename("web", "net")
    again = on_disk(tmp_path)
    assert again.of("net") == store.of("net")
    assert list(again.of("net")) == list("abcde")
    assert again.current("net") == store.current("net")
    (tmp_path / "net" / "b.more").mkdir()
    (tmp_path / "net" / "b.more" / "x").touch()
    (tmp_path / "net" / "c.more").touch()
    again.forget("net", "b")
    again.forget("net", "c")
    assert {path.name for path in (tmp_path / "net").iterdir()} == {"a.xml", "d.xml", "e.xml"}
    again.remove_all("net")
    assert list(tmp_path.iterdir()) == []


def test_files_that_somebody_has_changed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    filled(on_disk(tmp_path))
    place = tmp_path / "web"
    (place / "b.xml").write_text("<domainsnapshot><name>b</na")
    (place / "x.xml").write_text((place / "a.xml").read_text())
    (place / "y.xml.new").touch()
    # A circle: a was made of d, which was made of c, which was made of a.
    (place / "a.xml").write_text(
        (place / "a.xml").read_text().replace("</name>", "</name><parent><name>d</name></parent>")
    )
    again = on_disk(tmp_path)
    assert sorted(again.of("web")) == ["a", "c", "d", "e"]
    assert "ignoring the snapshot" in caplog.text
    assert (place / "b.xml").exists()
    assert not (place / "y.xml.new").exists()
    assert sum(each.parent is None for each in again.of("web").values()) == 2
    assert len(list(again.descendants("web", "a"))) <= 3


def test_a_disk_that_refuses(tmp_path: Path) -> None:
    store = filled(on_disk(tmp_path))
    (tmp_path / "web" / "f.xml.new").mkdir()  # in the way of what is written first
    with pytest.raises(SystemCallError):
        store.keep("web", made("f", "e"))
    assert "f" not in store.of("web")


@given(st.lists(st.integers(-1, 9), max_size=10), st.randoms())
def test_parents_come_before_their_children(parents: list[int], random: object) -> None:
    """Whatever the times say."""
    shuffled = [
        KeptSnapshot(
            name=str(number),
            parent=str(parent) if -1 < parent < number else None,
            creation_time=getattr(random, "randint")(0, 3),  # noqa: B009 - hypothesis says what it is
        )
        for number, parent in enumerate(parents)
    ]

    class Shuffled(Shelf[KeptSnapshot]):
        def load(self, domain: str) -> list[KeptSnapshot]:
            return shuffled

    seen: set[str | None] = {None}
    for each in SnapshotStore(Shuffled(), From.TEST).of("web").values():
        assert each.parent in seen
        seen.add(each.name)
    assert len(seen) == len(parents) + 1
