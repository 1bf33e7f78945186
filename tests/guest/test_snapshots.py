"""Snapshots over a real QEMU: what disks hold when they are gone back to and when they are deleted; their tree.

What a guest would write is written by its QEMU's own hand, through the device, so that nothing has to boot.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.constants import checkpoint as C
from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.constants import snapshot as S
from roost.contract.checkpoints import Checkpoints
from roost.contract.domains import Consoles, Domains, Inspection, Lifecycle, Monitor
from roost.contract.references import DomainRef, MomentRef
from roost.contract.snapshots import Snapshots
from roost.contract.state import SavedState
from roost.drivers.qemu.monitor import COMMAND_HMP
from roost.errors import (
    ConfigUnsupported,
    InternalError,
    InvalidArg,
    NoDomainSnapshot,
    OperationFailed,
    OperationInvalid,
    OperationUnsupported,
    RoostError,
    SnapshotRevertRisky,
    SystemCallError,
)
from roost.model import checkpoint
from roost.model import domain as documents
from roost.model import snapshot as model
from roost.model.moment import source_path
from support.guests import domain_xml
from support.world import World, run, world_root

pytestmark = [
    pytest.mark.guest,
    pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed"),
]

STOPPED, STARTED, RESUMED, SUSPENDED, DEFINED = (
    (E.ID_LIFECYCLE, event, detail)
    for event, detail in (
        (E.STOPPED, E.STOPPED_FROM_SNAPSHOT),
        (E.STARTED, E.STARTED_FROM_SNAPSHOT),
        (E.RESUMED, E.RESUMED_FROM_SNAPSHOT),
        (E.SUSPENDED, E.SUSPENDED_FROM_SNAPSHOT),
        (E.DEFINED, E.DEFINED_FROM_SNAPSHOT),
    )
)


_REUSE = S.CREATE_DISK_ONLY | S.CREATE_REUSE_EXT


@pytest.fixture
def root() -> Iterator[Path]:
    with world_root() as made:
        yield made


def tool(*words: str) -> str:
    """What one of QEMU's programs says."""
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


class Guest:
    """A domain with disks vda and vdb, and what is in them."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.images = [world.root / f"{name}-{disk}.qcow2" for disk in "ab"]
        self.ref: DomainRef
        for image in self.images:
            tool("qemu-img", "create", "-q", "-f", "qcow2", str(image), "8M")
            image.chmod(0o666)

    async def define(self) -> Guest:
        self.ref = await self.world.get(Domains).define(self.xml(), 0)
        return self

    def xml(self) -> str:
        disks = "".join(
            f"<disk type='file'><driver name='qemu' type='qcow2'/><source file='{image}'/>"
            f"<target dev='vd{image.name[-7]}' bus='virtio'/></disk>"
            for image in self.images
        )
        return f"""<domain type='qemu'><name>{self.name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
        <genid/><os><type arch='x86_64' machine='pc'>hvm</type></os><devices>{disks}</devices></domain>"""

    @property
    def snapshots(self) -> Snapshots:
        found: Snapshots = self.world.get(Snapshots)
        return found

    async def start(self) -> None:
        await self.world.get(Lifecycle).create(self.ref, 0)
        self.world.events.clear()

    async def stop(self) -> None:
        await self.world.get(Lifecycle).destroy(self.ref, 0)

    @property
    def state(self) -> tuple[int, int]:
        found: tuple[int, int] = self.world.get(Inspection).state(self.ref, 0)
        return found

    async def take(self, name: str, flags: int = 0, inner: str = "") -> MomentRef:
        xml = f"<domainsnapshot><name>{name}</name>{inner}</domainsnapshot>"
        return await self.snapshots.create(self.ref, xml, flags)

    async def revert(self, name: str, flags: int = 0) -> None:
        await self.snapshots.revert(MomentRef(name, self.ref), flags)

    async def delete(self, name: str, flags: int = 0) -> None:
        await self.snapshots.delete(MomentRef(name, self.ref), flags)

    def document(self, name: str) -> model.Snapshot:
        return model.parse(self.snapshots.describe(MomentRef(name, self.ref), 0))

    def tree(self) -> dict[str, str | None]:
        """The parent of each."""
        return {each.name: self.document(each.name).parent for each in self.snapshots.list_all(self.ref, 0)}

    @property
    def current(self) -> str | None:
        return self.snapshots.current(self.ref, 0).name if self.snapshots.has_current(self.ref, 0) else None

    # -- its disks -------------------------------------------------------------------------

    async def write(self, value: int, megabyte: int = 0) -> None:
        """To both disks: a running guest's through its devices."""
        if self.state[0] == D.SHUTOFF:
            for path in self.tops():
                tool("qemu-io", "-c", f"write -q -P {value} {megabyte}M 64k", path)
            return
        for number in (0, 1):
            await self._io(number, f"write -P {value} {megabyte}M 64k")

    async def _io(self, number: int, command: str) -> None:
        device = f"/machine/peripheral/virtio-disk{number}/virtio-backend"
        answer = await self.world.get(Monitor).command(self.ref, f'qemu-io -d {device} "{command}"', COMMAND_HMP)
        assert answer == ""

    async def holds(self, value: int, megabyte: int = 0) -> bool:
        """Whether both disks have it there."""
        if self.state[0] != D.SHUTOFF:
            for number in (0, 1):
                await self._io(number, "flush")
        command = f"read -P {value} {megabyte}M 64k"
        found = [tool("qemu-io", "-U", "-r", "-c", command, path) for path in self.tops()]
        assert all("read 65536/65536" in text for text in found), found
        same = ["verification failed" not in text for text in found]
        assert len(set(same)) == 1, found
        return same[0]

    def shown(self, flags: int = 0) -> documents.Domain:
        """Its document."""
        return documents.parse(self.world.get(Domains).describe(self.ref, flags))

    def tops(self) -> list[str]:
        """The images that the domain writes to."""
        return [source_path(disk.source) or "" for disk in self.shown().devices.disks]

    def files(self) -> set[str]:
        """The images there are, without their suffix where it is qcow2."""
        return {path.name.removesuffix(".qcow2") for path in self.world.root.glob(f"{self.name}-*")}


async def guest_of(world: World, name: str, *, running: bool = False) -> Guest:
    guest = await Guest(world, name).define()
    if running:
        await guest.start()
    return guest


def test_internal_of_a_running_guest(root: Path) -> None:
    async def scenario(world: World) -> None:
        guest = await guest_of(world, "n-live", running=True)
        await guest.write(1)
        assert (await guest.take("a")).name == "a"
        assert guest.state == (D.RUNNING, D.RUNNING_UNPAUSED)
        await guest.write(2)
        await world.get(Lifecycle).suspend(guest.ref)
        await guest.take("b")
        assert guest.document("b").state == "paused"
        await guest.write(3)
        world.events.clear()
        before = guest.shown()
        await guest.revert("a")
        assert world.events == [STOPPED, STARTED, RESUMED, DEFINED]
        assert guest.state == (D.RUNNING, D.RUNNING_FROM_SNAPSHOT)
        assert await guest.holds(1)
        assert guest.current == "a"
        # The guest is told that time has gone back.
        assert guest.shown().genid != before.genid
        assert guest.shown(D.XML_INACTIVE).genid == before.genid
        world.events.clear()
        await guest.revert("b")
        assert world.events == [STOPPED, STARTED, SUSPENDED, DEFINED]
        assert guest.state == (D.PAUSED, D.PAUSED_FROM_SNAPSHOT)
        assert await guest.holds(2)
        await guest.revert("b", S.REVERT_RUNNING)
        assert guest.state[0] == D.RUNNING
        await guest.revert("a", S.REVERT_PAUSED)
        assert guest.state[0] == D.PAUSED
        await guest.stop()
        await guest.revert("a")
        assert guest.state[0] == D.RUNNING
        assert await guest.holds(1)
        await guest.delete("a")
        assert guest.tree() == {"b": None}
        assert guest.current is None
        await guest.revert("b")
        assert await guest.holds(2)
        with pytest.raises(NoDomainSnapshot, match="no domain snapshot with matching name 'a'"):
            await guest.revert("a")

    run(root, scenario)


def test_internal_of_a_stopped_guest(root: Path) -> None:
    async def scenario(world: World) -> None:
        guest = await guest_of(world, "n-off")
        await guest.write(1)
        await guest.take("a")
        await guest.write(2)
        await guest.take("b")
        await guest.start()
        await guest.write(3)
        world.events.clear()
        await guest.revert("a")
        assert world.events == [STOPPED, DEFINED]
        assert guest.state == (D.SHUTOFF, D.SHUTOFF_FROM_SNAPSHOT)
        assert await guest.holds(1)
        world.events.clear()
        await guest.revert("b", S.REVERT_PAUSED)
        assert world.events == [STARTED, SUSPENDED, DEFINED]
        assert await guest.holds(2)
        assert guest.tree() == {"a": None, "b": "a"}
        await guest.delete("a", S.DELETE_CHILDREN_ONLY)
        assert guest.tree() == {"a": None}
        assert guest.current == "a"
        await guest.stop()
        await guest.delete("a")
        assert tool("qemu-img", "snapshot", "-l", str(guest.images[0])) == ""

    run(root, scenario)


def test_external_of_a_running_guest_is_gone_back_to(root: Path) -> None:
    """Two branches from one snapshot; what was written since the one that is left goes with its images."""

    async def scenario(world: World) -> None:
        guest = await guest_of(world, "n-tree", running=True)
        await guest.write(1)
        await guest.take("a", S.CREATE_DISK_ONLY)
        await guest.write(2)
        await guest.take("b", S.CREATE_DISK_ONLY | S.CREATE_ATOMIC)
        await guest.write(3)
        assert guest.files() == {"n-tree-a", "n-tree-b", "n-tree-a.a", "n-tree-b.a", "n-tree-a.b", "n-tree-b.b"}
        await guest.revert("a")
        assert guest.state == (D.SHUTOFF, D.SHUTOFF_FROM_SNAPSHOT)
        assert await guest.holds(1)
        assert guest.current == "a"
        # What b had on top is gone; what it was made of is not.
        assert "n-tree-a.b" not in guest.files()
        assert "n-tree-a.a" in guest.files()
        assert [part.name for part in guest.document("a").revert_disks] == ["vda", "vdb"]
        await guest.write(4)
        await guest.take("c", S.CREATE_DISK_ONLY)
        assert guest.document("c").state == "shutoff"
        await guest.write(5)
        await guest.revert("b", S.REVERT_RUNNING)
        assert guest.state[0] == D.RUNNING
        assert await guest.holds(2)
        await guest.revert("c")
        assert await guest.holds(4)
        assert guest.tree() == {"a": None, "b": "a", "c": "a"}
        with pytest.raises(OperationUnsupported, match="multiple children not supported"):
            await guest.delete("a")
        before = guest.files()
        await guest.delete("b")
        assert guest.files() == before  # going back to c had removed what was on top of b
        await guest.write(6)
        await guest.delete("a")
        assert guest.tree() == {"c": None}
        assert await guest.holds(6)
        await guest.revert("c")
        assert await guest.holds(4)

    run(root, scenario)


def test_external_is_merged_by_a_running_guest(root: Path) -> None:
    async def scenario(world: World) -> None:
        guest = await guest_of(world, "n-merge", running=True)
        for number, name in enumerate("abc", 1):
            await guest.write(number, number)
            await guest.take(name, S.CREATE_DISK_ONLY)
        await guest.write(4, 4)
        await guest.delete("b")
        assert guest.tree() == {"a": None, "c": "a"}
        assert "n-merge-a.b" not in guest.files()
        await guest.delete("c")
        assert guest.current == "a"
        for number in range(1, 5):
            assert await guest.holds(number, number)
        await guest.revert("a")
        assert await guest.holds(1, 1)
        assert await guest.holds(0, 2)
        await guest.start()
        await guest.write(7, 7)
        await guest.delete("a")
        assert guest.tops() == [str(image) for image in guest.images]
        assert guest.files() == {"n-merge-a", "n-merge-b"}
        await guest.stop()
        assert await guest.holds(7, 7)
        assert guest.tops() == [str(image) for image in guest.images]

    run(root, scenario)


def test_external_is_merged_while_nothing_runs(root: Path) -> None:
    async def scenario(world: World) -> None:
        guest = await guest_of(world, "n-cold")
        for number, name in enumerate("abc", 1):
            await guest.write(number, number)
            await guest.take(name, S.CREATE_DISK_ONLY)
        await guest.write(4, 4)
        await guest.delete("b")
        await guest.delete("c", S.DELETE_CHILDREN)
        for number in range(1, 5):
            assert await guest.holds(number, number)
        await guest.delete("a")
        assert guest.tops() == [str(image) for image in guest.images]
        assert guest.files() == {"n-cold-a", "n-cold-b"}
        for number in range(1, 5):
            assert await guest.holds(number, number)
        await guest.start()

    run(root, scenario)


def test_all_below_one_are_merged(root: Path) -> None:
    async def scenario(world: World) -> None:
        guest = await guest_of(world, "n-all", running=True)
        for number, name in enumerate("abc", 1):
            await guest.take(name, S.CREATE_DISK_ONLY)
            await guest.write(number, number)
        await guest.delete("a", S.DELETE_CHILDREN_ONLY)
        assert guest.tree() == {"a": None}
        assert guest.current == "a"
        assert guest.files() == {"n-all-a", "n-all-b", "n-all-a.a", "n-all-b.a"}
        for number in range(1, 4):
            assert await guest.holds(number, number)

    run(root, scenario)


def test_memory_in_a_file(root: Path) -> None:
    async def scenario(world: World) -> None:
        guest = await guest_of(world, "n-memory", running=True)
        file = root / "memory"
        inner = f"<memory file='{file}'/>"
        await guest.write(1)
        world.events.clear()
        await guest.take("a", 0, inner)
        assert world.events[0] == (E.ID_LIFECYCLE, E.SUSPENDED, E.SUSPENDED_PAUSED)
        assert guest.state == (D.RUNNING, D.RUNNING_UNPAUSED)
        await guest.write(2)
        await guest.take("b", S.CREATE_LIVE, f"<memory snapshot='external' file='{file}2'/>")
        world.events.clear()
        await guest.revert("a")
        assert world.events == [STOPPED, STARTED, RESUMED, DEFINED]
        assert guest.state == (D.RUNNING, D.RUNNING_FROM_SNAPSHOT)
        assert await guest.holds(1)
        await guest.revert("b", S.REVERT_PAUSED)
        assert guest.state == (D.PAUSED, D.PAUSED_FROM_SNAPSHOT)
        assert await guest.holds(2)
        await guest.delete("b")
        assert [name for name in os.listdir(root) if name.startswith("memory")] == ["memory"]
        file.unlink()
        with pytest.raises(SystemCallError, match="Failed to open file"):
            await guest.revert("a")
        assert guest.state[0] == D.PAUSED

    run(root, scenario)


def test_memory_alone(root: Path) -> None:
    """Of a guest without disks."""

    async def scenario(world: World) -> None:
        guest = Guest(world, "s-alone")
        guest.images = []
        await (await guest.define()).start()
        file = root / "alone.mem"
        await guest.take("a", inner=f"<memory snapshot='external' file='{file}'/>")
        for state in (D.RUNNING, D.SHUTOFF):
            if state == D.SHUTOFF:
                await guest.stop()
            await guest.revert("a")
            assert guest.state[0] == D.RUNNING
        assert guest.snapshots.current(guest.ref, 0).name == "a"
        await guest.delete("a")
        assert not file.exists()

    run(root, scenario)


def test_checkpoints_stay_true(root: Path) -> None:
    """Snapshots are taken of a running guest and of a stopped one, and deleted of both."""

    async def scenario(world: World) -> None:
        guest = await guest_of(world, "n-bits", running=True)
        checkpoints = world.get(Checkpoints)

        async def changed() -> list[int]:
            xml = await checkpoints.describe(MomentRef("point", guest.ref), C.XML_SIZE)
            return [disk.size or 0 for disk in checkpoint.parse(xml, validate=False).disks]

        await guest.write(1)
        await checkpoints.create(guest.ref, "<domaincheckpoint><name>point</name></domaincheckpoint>", 0)
        await guest.write(2, 1)
        await guest.take("live", S.CREATE_DISK_ONLY)
        await guest.write(3, 2)
        assert await changed() == [2 * 65536] * 2
        await guest.stop()
        await guest.take("cold", S.CREATE_DISK_ONLY)
        await guest.start()
        await guest.write(4, 3)
        assert await changed() == [3 * 65536] * 2
        await guest.delete("cold")
        assert await changed() == [3 * 65536] * 2
        await guest.stop()
        await guest.delete("live")
        await guest.start()
        assert await changed() == [3 * 65536] * 2

    run(root, scenario)


def test_checkpoints_that_would_not_be_true(root: Path) -> None:
    async def scenario(world: World) -> None:
        guest = await guest_of(world, "n-untrue", running=True)
        await guest.write(1)
        await guest.take("a")
        point = "<domaincheckpoint><name>point</name></domaincheckpoint>"
        await world.get(Checkpoints).create(guest.ref, point, 0)
        await guest.write(2)
        with pytest.raises(SnapshotRevertRisky, match="checkpoints would not be true any more: point"):
            await guest.revert("a")
        assert guest.state[0] == D.RUNNING
        await guest.stop()
        with pytest.raises(SnapshotRevertRisky, match="checkpoints would not be true any more: point"):
            await guest.revert("a")
        await guest.revert("a", S.REVERT_FORCE)
        assert await guest.holds(1)
        with pytest.raises(InternalError, match="bitmap 'point' not found in backing chain"):
            await world.get(Checkpoints).delete(MomentRef("point", guest.ref), 0)

    run(root, scenario)


def test_a_managed_save_does_not_outlive_its_disks(root: Path) -> None:
    async def scenario(world: World) -> None:
        guest = await guest_of(world, "n-saved")
        await guest.take("off")
        await guest.start()
        await guest.take("live")
        await world.get(SavedState).managed_save(guest.ref, 0)
        with pytest.raises(SnapshotRevertRisky, match="removal of existing managed saved state strongly recommended"):
            await guest.revert("off")
        await guest.revert("live")
        assert not world.get(Inspection).has_managed_save(guest.ref, 0)
        await guest.stop()
        await guest.start()

    run(root, scenario)


def test_what_is_refused_changes_nothing(root: Path) -> None:
    async def scenario(world: World) -> None:
        guest = await guest_of(world, "n-no", running=True)
        there = guest.files()
        file = root / "n-no-there"
        file.write_bytes(b"x")
        disk = "<disks><disk name='vda'><source file='{}'/></disk></disks>"
        cases: list[tuple[int, str, type[RoostError], str]] = [
            (S.CREATE_QUIESCE, "", InvalidArg, "CREATE_DISK_ONLY' is required by flag"),
            (S.CREATE_LIVE, "", OperationUnsupported, "live snapshot creation is supported only during full system"),
            (S.CREATE_DISK_ONLY, disk.format(file), ConfigUnsupported, "already exists and is not a block device"),
            (S.CREATE_DISK_ONLY, disk.format(root), ConfigUnsupported, "mismatch between configured type"),
            (S.CREATE_DISK_ONLY, disk.format(root / "no" / "x"), SystemCallError, "No such file or directory"),
            (
                S.CREATE_DISK_ONLY | S.CREATE_REUSE_EXT,
                disk.format(root / "z"),
                SystemCallError,
                "missing existing file",
            ),
            (0, f"<memory file='{root}/no/memory'/>", SystemCallError, "Failed to create file"),
        ]
        for flags, inner, error, text in cases:
            with pytest.raises(error, match=text):
                await guest.take("x", flags, inner)
            assert guest.state[0] == D.RUNNING, text
            assert guest.tree() == {}
        file.unlink()
        assert guest.files() == there
        await guest.take("a")
        with pytest.raises(OperationFailed, match="domain moment a already exists"):
            await guest.take("a")
        await guest.stop()
        with pytest.raises(OperationInvalid, match="cannot delete inactive domain with 1 snapshots"):
            await world.get(Domains).undefine(guest.ref, 0)
        await guest.take("b", S.CREATE_DISK_ONLY)
        with pytest.raises(SnapshotRevertRisky, match="snapshot 'b' needs image"):
            await guest.revert("a")
        await guest.start()
        with pytest.raises(OperationUnsupported, match="is not the same as disk image currently used by VM"):
            await guest.delete("a")
        await guest.stop()
        await world.get(Domains).undefine(guest.ref, D.UNDEFINE_SNAPSHOTS_METADATA)
        assert not list((root / "lib" / "qemu" / "snapshot").iterdir())

    run(root, scenario)


def test_a_transient_domain_keeps_its_snapshots_when_it_goes_back(root: Path) -> None:
    async def scenario(world: World) -> None:
        guest = Guest(world, "n-gone")
        guest.ref = await world.get(Domains).create_xml(guest.xml(), 0)
        await guest.write(1)
        with pytest.raises(OperationInvalid, match="cannot halt after transient domain snapshot"):
            await guest.take("h", S.CREATE_HALT)
        await guest.take("a")
        await guest.write(2)
        await guest.revert("a")
        assert await guest.holds(1)
        assert guest.tree() == {"a": None}
        assert not world.get(Domains).is_persistent(guest.ref)
        await guest.stop()
        assert not list((root / "lib" / "qemu" / "snapshot").glob("n-gone/*"))

    run(root, scenario)


def test_another_daemon_finds_them_and_they_follow_the_name(root: Path) -> None:
    async def first(world: World) -> None:
        guest = await guest_of(world, "n-kept")
        await guest.take("a")
        await guest.take("b")
        await guest.take("c")
        assert len(world.get(Domains).list_all(D.LIST_DOMAINS_HAS_SNAPSHOT)) == 1
        assert len(world.get(Domains).list_all(D.LIST_DOMAINS_NO_SNAPSHOT)) == 0
        await guest.revert("b")

    run(root, first)
    directory = root / "lib" / "qemu" / "snapshot" / "n-kept"
    (directory / "c.xml").write_text("<domainsnapshot><name>c</name>")  # half of it
    (directory / "d.xml.new").write_text("")

    async def second(world: World) -> None:
        (ref,) = world.get(Domains).list_all(0)
        snapshots: Snapshots = world.get(Snapshots)
        assert [each.name for each in snapshots.list_all(ref, 0)] == ["a", "b"]
        assert snapshots.current(ref, 0).name == "b"
        assert snapshots.parent(MomentRef("b", ref), 0).name == "a"
        assert (directory / "c.xml").exists()
        await world.get(Domains).rename(ref, "n-new", 0)
        (ref,) = world.get(Domains).list_all(0)
        assert [each.name for each in snapshots.children(MomentRef("a", ref), 0)] == ["b"]
        await snapshots.revert(MomentRef("a", ref), 0)
        assert documents.parse(world.get(Domains).describe(ref, 0)).name == "n-new"
        assert not directory.exists()

    run(root, second)


UEFI = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<features><acpi/></features><os firmware='efi'><type arch='x86_64' machine='q35'>hvm</type></os>
<devices><disk type='file'><driver name='qemu' type='qcow2'/><source file='{disk}'/>
<target dev='vda' bus='virtio'/></disk>
<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm></devices></domain>"""


def test_variables_of_firmware_and_state_of_tpm(root: Path) -> None:
    if not os.path.exists("/usr/share/OVMF/OVMF_CODE.fd") or shutil.which("swtpm") is None:
        pytest.skip("there is no UEFI firmware for guests, or no software TPM")
    lib = root / "lib"
    variables = lib / "qemu" / "nvram" / "n-uefi_VARS.fd"
    kept = lib / "qemu" / "snapshot" / "n-uefi"

    def mark(text: bytes) -> None:
        """Both as if the guest had written to them; nothing of it runs."""
        with variables.open("r+b") as file:
            file.seek(4096)
            file.write(text)
        (state,) = lib.glob("swtpm/*/tpm2")
        (state / "mark").write_bytes(text)

    def marks() -> tuple[bytes, bytes]:
        (state,) = lib.glob("swtpm/*/tpm2")
        return variables.read_bytes()[4096:4100], (state / "mark").read_bytes()

    async def scenario(world: World) -> None:
        guest = Guest(world, "n-uefi")
        xml = UEFI.format(name="n-uefi", disk=guest.images[0])
        guest.ref = await world.get(Domains).define(xml, 0)
        await guest.take("new")
        await guest.start()
        await guest.take("live")
        assert {path.name for path in kept.iterdir()} >= {"live.xml", "live.nvram", "live.tpm", "new.nvram"}
        await guest.stop()
        mark(b"one!")
        await guest.take("off")
        await guest.take("disks", S.CREATE_DISK_ONLY)
        mark(b"two!")
        await guest.revert("off", S.REVERT_FORCE)
        assert marks() == (b"one!", b"one!")
        mark(b"two!")
        await guest.revert("disks")
        assert marks() == (b"one!", b"one!")
        mark(b"two!")
        (kept / "disks.nvram").unlink()
        with pytest.raises(SnapshotRevertRisky, match="has no copy of the variables of its firmware"):
            await guest.revert("disks")
        assert marks() == (b"two!", b"two!")
        await guest.revert("disks", S.REVERT_FORCE)
        assert marks() == (b"two!", b"one!")
        await world.get(Domains).rename(guest.ref, "n-name", 0)
        guest.ref = world.get(Domains).lookup_by_name("n-name")
        await guest.revert("live", S.REVERT_FORCE)
        assert guest.state[0] == D.RUNNING
        await guest.stop()
        assert not variables.exists()
        assert b"one!" not in (variables.parent / "n-name_VARS.fd").read_bytes()
        await guest.revert("new", S.REVERT_FORCE)
        assert list(variables.parent.iterdir()) == []
        assert list(lib.glob("swtpm/*/tpm2")) == []
        await guest.delete("live")
        assert {path.name.partition(".")[0] for path in (kept.parent / "n-name").iterdir()} == {"new", "off", "disks"}

    run(root, scenario)


def test_what_a_guest_has_on_its_disk_and_in_its_memory(root: Path) -> None:
    """Internal and external, asked of the guest itself."""

    async def scenario(world: World) -> None:
        guest = Guest(world, "n-inside")
        disk = f"""<disk type='file'><driver name='qemu' type='qcow2'/><source file='{guest.images[0]}'/>
        <target dev='vda' bus='virtio'/></disk>"""
        guest.ref = await world.get(Domains).define(domain_xml("n-inside", memory_mib=96, devices=disk), 0)
        await guest.start()
        stream = await world.booted(guest.ref)
        await stream.write(b"quiet\n")
        await world.read_until(stream, "quiet: on")

        async def shell(command: str) -> str:
            await stream.write(f"sh {command}\n".encode())
            return await world.read_until(stream, "sh: exit 0")

        async def put(value: int) -> None:
            await shell(f"echo value{value} >/tmp/memory; dd if=/tmp/memory of=/dev/vda conv=fsync 2>/dev/null")

        async def has(value: int) -> None:
            command = "echo 3 >/proc/sys/vm/drop_caches; cat /tmp/memory; dd if=/dev/vda bs=7 count=1 2>/dev/null"
            assert (await shell(command)).count(f"value{value}") == 2

        async def back(name: str, flags: int = 0) -> None:
            nonlocal stream
            await guest.revert(name, flags)
            stream = await world.get(Consoles).open_console(guest.ref, None, 0)

        await put(1)
        await guest.take("internal")
        await put(2)
        await guest.take("external", S.CREATE_LIVE, f"<memory file='{root}/memory'/>")
        await put(3)
        await has(3)
        await back("external")
        await has(2)
        await put(4)
        await guest.delete("external")
        await has(4)
        await back("internal")
        await has(1)

    run(root, scenario)
