"""How much memory guests may lock, in libvirt's numbers, and how their limits follow what comes and goes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from roost.drivers.qemu.guest import Guest
from roost.drivers.qemu.held import Held
from roost.drivers.qemu.log import GuestLog
from roost.drivers.qemu.resources import Resources
from roost.drivers.qemu.tuning import locking
from roost.errors import SystemCallError
from roost.host.fake import FakeHost, FakeProcess
from roost.model.domain import Domain, parse

MIB = 1 << 20
GIB = 1 << 30
#: What every process may lock here.
USUAL = 8 * MIB

PCI = "<hostdev mode='subsystem' type='pci'><source><address bus='1' slot='{}'/></source></hostdev>"
MDEV = (
    "<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source>"
    "<address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/></source></hostdev>"
)
USB = "<hostdev mode='subsystem' type='usb'><source><vendor id='1'/><product id='2'/></source></hostdev>"
CARD = "<interface type='hostdev'><source><address type='pci' bus='1' slot='9'/></source></interface>"
VDPA = "<interface type='vdpa'><source dev='/dev/vhost-vdpa-{}'/></interface>"
NVME = (
    "<disk type='nvme' device='disk'><driver name='qemu' type='{type}'/><source type='pci' namespace='1'>"
    "<address bus='1' slot='3'/></source>{below}<target dev='vda'/></disk>"
)
FILE = "<disk><source file='/a'/>{}<target dev='vdb'/></disk>"
BELOW = (
    "<backingStore type='nvme'><format type='raw'/><source type='pci' namespace='1'><address bus='1' slot='3'/>"
    "</source><backingStore/></backingStore>"
)
IOMMU = "<iommu model='intel'/>"
LOCKED = "<memoryBacking><locked/></memoryBacking>"


def hard(kib: int) -> str:
    return f"<memtune><hard_limit unit='KiB'>{kib}</hard_limit></memtune>"


def domain(*devices: str, extra: str = "", type: str = "qemu", arch: str = "x86_64", mebibytes: int = 1024) -> Domain:
    return parse(
        f"<domain type='{type}'><name>x</name><memory unit='MiB'>{mebibytes}</memory>{extra}<os>"
        f"<type arch='{arch}'>hvm</type></os><devices>{''.join(devices)}</devices></domain>",
        live=True,
    )


@pytest.mark.parametrize(
    ("devices", "extra", "limit", "needed"),
    [
        ((), "", None, False),
        ((USB, FILE.format("")), "", None, False),
        # One GiB for what is mapped beside the memory, which all devices of VFIO share.
        ((PCI.format(1),), "", 2 * GIB, True),
        ((PCI.format(1), PCI.format(2), CARD, MDEV), "", 2 * GIB, True),
        ((CARD,), "", 2 * GIB, True),
        ((MDEV,), "", 2 * GIB, True),
        ((NVME.format(type="raw", below=""),), "", 2 * GIB, True),
        ((FILE.format(BELOW),), "", 2 * GIB, True),
        # Behind an IOMMU each has a space of its own.
        ((PCI.format(1), PCI.format(2), MDEV, IOMMU), "", 4 * GIB, True),
        ((IOMMU,), "", None, False),
        ((VDPA.format(0),), "", 2 * GIB, True),
        ((VDPA.format(0), VDPA.format(1)), "", 3 * GIB, True),
        ((VDPA.format(0), VDPA.format(1), PCI.format(1), PCI.format(2)), "", 4 * GIB, True),
        ((VDPA.format(0), PCI.format(1), PCI.format(2), IOMMU), "", 4 * GIB, True),
        ((), LOCKED, -1, True),
        # The bound on all of its memory goes before anything else.
        ((), hard(3000000), 3072000000, False),
        ((), hard(4096), 4 * MIB, False),
        ((PCI.format(1),), hard(4096), 4 * MIB, True),
        ((), LOCKED + hard(2 << 20), 2 * GIB, True),
        ((), hard(9007199254740991), None, False),
        ((PCI.format(1),), hard(9007199254740991), 2 * GIB, True),
        # So many bytes as libvirt takes for no limit.
        ((), hard(8796093022208), -1, False),
    ],
)
def test_the_rule(devices: tuple[str, ...], extra: str, limit: int | None, needed: bool) -> None:
    document = domain(*devices, extra=extra)
    assert locking.lockable(document) == limit
    assert locking.must_lock(document) is needed
    assert locking.at_launch(document) == (limit if needed else None)


def test_memory_that_was_plugged_in_counts() -> None:
    dimm = "<memory model='dimm'><target><size unit='MiB'>512</size></target></memory>"
    assert locking.lockable(domain(PCI.format(1), dimm, mebibytes=1536)) == 2 * GIB + 512 * MIB


@pytest.mark.parametrize(
    ("devices", "extra", "type", "kib"),
    [
        # 1/128 of the memory, 4 MiB for each host bridge, 8 MiB.
        ((), "", "kvm", 8192 + 4096 + 8192),
        ((), "<maxMemory slots='1' unit='GiB'>4</maxMemory>", "kvm", 32768 + 4096 + 8192),
        # And 2 GiB for each bridge, or where that is more the memory, 1/512 of it for each bridge, 8 MiB.
        ((PCI.format(1),), "", "kvm", 20480 + (2 << 20)),
        ((PCI.format(1), "<controller type='pci' index='1' model='pci-root'/>"), "", "kvm", 24576 + (4 << 20)),
        ((PCI.format(1),), "<memory unit='GiB'>4</memory>", "kvm",
         32768 + 4096 + 8192 + (4 << 20) + (4 << 20) // 512 + 8192),
    ],
)  # fmt: skip
def test_on_power(devices: tuple[str, ...], extra: str, type: str, kib: int) -> None:
    root = "<controller type='pci' index='0' model='pci-root'/>"
    made = domain(root, *devices, extra=extra, type=type, arch="ppc64le", mebibytes=1024)
    if "<memory " in extra:
        made = msgspec.structs.replace(made, memory=4 << 20)
    assert locking.lockable(made) == kib * 1024
    assert locking.must_lock(made)
    assert locking.lockable(domain(root, arch="ppc64le")) is None


def test_what_changes_it() -> None:
    devices = domain(
        PCI.format(1), MDEV, USB, CARD, VDPA.format(0), "<interface type='user'/>", FILE.format(""), FILE.format(BELOW),
        "<memory model='dimm'><target><size>1</size></target></memory>",
        "<rng model='virtio'><backend model='builtin'/>"
        "</rng>",
    ).devices  # fmt: skip
    assert [locking.concerns(each) for each in devices.hostdevs] == [True, True, False]
    assert [locking.concerns(each) for each in devices.interfaces] == [True, True, False]
    assert [locking.concerns(each) for each in devices.disks] == [False, True]
    assert [locking.concerns(each) for each in (*devices.memories, *devices.rngs)] == [True, False]


# -- running guests ----------------------------------------------------------------------------


class Scene:
    """A guest on a host that exists in memory only. saved: what it held when its status was written."""

    def __init__(self, guest: Guest, process: FakeProcess) -> None:
        self.guest, self.process = guest, process
        self.record: Any = SimpleNamespace(runtime=guest, live=domain(), name="x")
        self.context: Any = SimpleNamespace(save=self._save, save_changed=self._save)
        self.saved: list[int] = []

    def _save(self, record: object) -> None:
        self.saved.append(self.guest.resources.held.locked)

    def admit(self, document: Domain) -> None:
        locking.admit(self.context, self.record, self.guest, document)

    @property
    def state(self) -> tuple[int, int]:
        """What the process may lock, and what it could before."""
        return self.process.locked, self.guest.resources.held.locked


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    host = FakeHost()
    log = GuestLog(tmp_path / "x.log")
    guest = Guest(Resources(host, Held()), log, "")
    process = asyncio.run(host.processes.start(cast(Any, None)))
    guest.process = process
    yield Scene(guest, process)
    log.close()
    host.network.close()


def test_raised_for_what_comes_and_put_back_after_the_last(scene: Scene) -> None:
    scene.admit(domain())
    assert (scene.state, scene.saved) == ((USUAL, 0), [])
    scene.admit(domain(PCI.format(1)))
    assert (scene.state, scene.saved) == ((2 * GIB, USUAL), [USUAL])
    scene.admit(domain(PCI.format(1), mebibytes=2048))
    assert scene.state == (3 * GIB, USUAL)
    # What is locked stays locked until nothing has to be.
    scene.admit(domain(PCI.format(1)))
    assert scene.state == (3 * GIB, USUAL)
    scene.admit(domain())
    assert scene.state == (USUAL, 0)
    scene.admit(domain())
    assert (scene.state, scene.saved) == ((USUAL, 0), [USUAL])


def test_any_number(scene: Scene) -> None:
    scene.admit(domain(extra=LOCKED))
    assert scene.state == (-1, USUAL)
    scene.admit(domain(PCI.format(1)))
    assert scene.state == (-1, USUAL)
    scene.admit(domain())
    assert scene.state == (USUAL, 0)


def test_what_suffices_is_left_to_whoever_has_set_it(scene: Scene) -> None:
    scene.process.locked = 2 * GIB
    scene.admit(domain(PCI.format(1)))
    scene.admit(domain())
    assert (scene.state, scene.saved) == ((2 * GIB, 0), [])


def test_refused(scene: Scene) -> None:
    scene.process.refuses_more = True
    with pytest.raises(SystemCallError, match="cannot limit locked memory"):
        scene.admit(domain(PCI.format(1)))
    assert scene.state == (USUAL, 0)
    # A guest that can do without is not kept from anything.
    scene.admit(domain(extra=hard(3000000)))
    assert scene.state == (USUAL, 0)
    scene.record.live = domain(PCI.format(1))
    locking.settle(scene.context, scene.record, scene.guest)
    assert scene.state == (USUAL, 0)


def test_a_status_that_cannot_be_written(scene: Scene) -> None:
    def full(record: object) -> None:
        raise SystemCallError("no space left")

    scene.context.save = full
    with pytest.raises(SystemCallError, match="no space left"):
        scene.admit(domain(PCI.format(1)))
    assert scene.state == (USUAL, 0)


def test_a_bound_that_changes(scene: Scene) -> None:
    scene.record.live = domain(extra=hard(3000000))
    locking.follow(scene.context, scene.record, scene.guest)
    assert scene.state == (USUAL, 0)
    scene.record.live = domain(PCI.format(1), extra=hard(3000000))
    locking.follow(scene.context, scene.record, scene.guest)
    assert scene.state == (3072000000, USUAL)


def test_at_the_start(scene: Scene) -> None:
    for document, locked in (
        (domain(), USUAL), (domain(extra=hard(4096)), 4 * MIB), (domain(PCI.format(1)), 4 * MIB),
        (domain(extra=hard(3000000)), 3072000000),
    ):  # fmt: skip
        locking.bound(scene.process, document)
        assert scene.process.locked == locked
    scene.process.refuses_more = True
    locking.bound(scene.process, domain(extra=hard(4000000)))
    assert scene.process.locked == 3072000000


def test_a_guest_that_has_ended(scene: Scene) -> None:
    scene.process.end()
    scene.admit(domain(PCI.format(1)))
    assert scene.state == (USUAL, 0)
