"""Which devices a guest's QEMU may open."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from roost.drivers.qemu import connections, nodes, plan
from roost.drivers.qemu.config import QemuConfig
from roost.drivers.qemu.guest import Guest
from roost.drivers.qemu.held import Held, part_of
from roost.drivers.qemu.log import GuestLog
from roost.drivers.qemu.resources import Resources
from roost.drivers.qemu.tuning import access, start
from roost.errors import SystemCallError
from roost.host.api import DeviceRule
from roost.host.fake import FakeHost
from roost.model import domain as model
from roost.model.domain import Domain

GROUP = "/machine/qemu-7-web.libvirt-qemu"
TERMINALS = DeviceRule("c", 136, -1, "rw")
NULL = DeviceRule("c", 1, 3, "rw")


def document(devices: str = "", rest: str = "") -> Domain:
    return model.parse(
        f"<domain type='qemu'><name>web</name><memory>65536</memory>{rest}"
        f"<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>{devices}</devices></domain>"
    )


def image(path: str, *, write: bool = True, kind: str = "block") -> plan.File:
    return plan.File(path, write, "vda", kind)


class Scene:
    """A guest on a host that exists in memory only. saved: what it held when its status was written."""

    def __init__(self, host: FakeHost, guest: Guest) -> None:
        self.host, self.guest = host, guest
        host.groups.nodes = {
            "/dev/null": ("c", 1, 3), "/dev/a": ("b", 7, 0), "/dev/link-to-a": ("b", 7, 0), "/dev/b": ("b", 7, 1),
            "/dev/hwrng": ("c", 10, 183),
        }  # fmt: skip
        self.record: Any = SimpleNamespace(runtime=guest, name="web")
        self.context: Any = SimpleNamespace(host=host, config=QemuConfig(), save=self._save)
        self.saved: list[tuple[nodes.Node, ...]] = []

    def _save(self, record: object) -> None:
        self.saved.append(self.guest.resources.held.nodes)

    def start(self, *files: plan.File) -> None:
        live = start.reserve_group(self.host, self.guest, document(), 7)
        access.reserve(self.context, self.guest, live, plan.Needs(files=files))
        start.make_group(self.host, self.guest, live, 7)

    def join(self, *files: plan.File) -> Held:
        part = self.guest.resources.join(plan.Needs(files=files), lend=False)
        asyncio.run(access.apply(self.context, self.guest))
        return part

    def settle(self) -> None:
        asyncio.run(access.settle(self.context, self.record, self.guest))

    def admit(self, path: str, *, write: bool = True) -> None:
        asyncio.run(access.admit(self.context, self.record, self.guest, [path], write=write))

    @property
    def allowed(self) -> set[DeviceRule]:
        """But for what all guests may open."""
        return self.host.groups.allowed[GROUP] - {TERMINALS, NULL}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    host = FakeHost()
    log = GuestLog(tmp_path / "x.log")
    yield Scene(host, Guest(Resources(host, Held(directory=str(tmp_path / "guest"))), log, ""))
    log.close()
    host.network.close()


A, B = DeviceRule("b", 7, 0, "rw"), DeviceRule("b", 7, 1, "rw")
A_READ = DeviceRule("b", 7, 0, "r")


# -- the rule ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("devices", "numbers"),
    [
        ("", {136}),
        ("<sound model='ich9'/>", {136}),
        ("<sound model='ich9'/><graphics type='vnc'/>", {136}),
        ("<sound model='ich9'/><graphics type='sdl'/>", {136, 116}),
        ("<graphics type='sdl'/>", {136}),
        ("<sound model='ich9'/><audio id='1' type='alsa'/>", {136, 116}),
        ("<sound model='ich9'/><audio id='1' type='oss'/>", {136, 14}),
        ("<sound model='ich9'/><audio id='1' type='sdl'/>", {136, 116}),
        ("<sound model='ich9'/><audio id='1' type='none'/>", {136}),
    ],
)
def test_sound(devices: str, numbers: set[int]) -> None:
    assert {rule.major for rule in access.classes(document(devices))} == numbers


@pytest.mark.parametrize(
    ("devices", "rest", "paths"),
    [
        ("", "", []),
        ("<memory model='sgx-epc'><target><size>1024</size></target></memory>", "",
         ["/dev/sgx_vepc", "/dev/sgx_provision"]),
        ("", "<launchSecurity type='sev'><cbitpos>47</cbitpos><reducedPhysBits>1</reducedPhysBits>"
             "<policy>0x1</policy></launchSecurity>", ["/dev/sev"]),
        ("<graphics type='egl-headless'/>", "", ["RENDER"]),
        ("<graphics type='egl-headless'><gl rendernode='/dev/dri/renderD128'/></graphics>", "", []),
        ("<graphics type='spice'><gl enable='yes'/></graphics>", "", ["RENDER"]),
        ("<graphics type='spice'/>", "", []),
        ("<video><model type='virtio' blob='on'/></video>", "", ["/dev/udmabuf"]),
        ("<video><model type='virtio'/></video>", "", []),
    ],
)  # fmt: skip
def test_what_no_device_names(
    devices: str, rest: str, paths: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = tmp_path / "renderD128"
    node.touch()
    monkeypatch.setattr(access, "_RENDER_NODES", str(tmp_path / "renderD*"))
    config = QemuConfig(cgroup_device_acl=("/dev/own",))
    expected = [str(node) if path == "RENDER" else path for path in paths]
    assert list(access.usual(document(devices, rest), config)) == ["/dev/own", *expected]


def test_what_needs_open() -> None:
    needs = plan.Needs(
        files=(
            image("/dev/a"), image("/dev/b", write=False), plan.File("/dev/hwrng", False, "rng0", "device"),
            image("/run/socket", kind="socket"), image("/exported", kind="export"),
        ),
        devices=(plan.HostDevice("hostdev0", "scsi_host", "wwn"),),
        reservations=(plan.ReservationsHelper("socket"),),
    )  # fmt: skip
    assert [(each.path, each.access) for each in nodes.openings(needs)] == [
        ("/dev/a", "rw"), ("/dev/b", "r"), ("/dev/hwrng", "rw"), ("/dev/mapper/control", "rw"),
    ]  # fmt: skip


@pytest.mark.parametrize(("write", "wanted"), [(True, "rw"), (False, "r")])
def test_a_scsi_device_of_the_host(write: bool, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "scsi_generic", lambda device: "/dev/sg3")
    needs = plan.Needs(devices=(plan.HostDevice("hostdev0", "scsi", "2:0:3:5", write=write),))
    assert [(each.path, each.access) for each in nodes.openings(needs)] == [("/dev/sg3", wanted)]


def test_devices_that_are_given_away_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, group in (("0000:01:00.0", "7"), ("0000:02:00.0", "8")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "iommu_group").symlink_to(f"../../kernel/iommu_groups/{group}")
    monkeypatch.setitem(connections._IOMMU_GROUPS, "pci", f"{tmp_path}/{{}}/iommu_group")
    host = FakeHost()
    host.groups.nodes = {"/dev/vfio/vfio": ("c", 10, 196), "/dev/vfio/7": ("c", 240, 0), "/dev/vfio/8": ("c", 240, 1)}
    first, second, gone = (
        plan.Needs(devices=(plan.HostDevice("hostdev0", "pci", name),))
        for name in ("0000:01:00.0", "0000:02:00.0", "0000:03:00.0")
    )
    both = plan.Needs(devices=(*first.devices, *second.devices))
    held = Held(nodes=nodes.found(host, nodes.openings(both)))
    assert {node.rule[1:3] for node in held.nodes} == {(10, 196), (240, 0), (240, 1)}
    left = part_of(held, first, second, ()).nodes
    # What both need stays with the other.
    assert {node.rule[1:3] for node in left} == {(10, 196), (240, 0)}
    assert {node.rule[1:3] for node in held.nodes if node not in left} == {(10, 196), (240, 1)}
    assert nodes.found(host, nodes.openings(gone)) == ()
    host.network.close()


# -- at the start ------------------------------------------------------------------------------


def test_a_guest_may_open_its_own_and_what_all_may(scene: Scene) -> None:
    scene.start(image("/dev/a"), image("/dev/b", write=False), image("/images/c", kind="image"))
    assert scene.host.groups.allowed == {GROUP: {TERMINALS, NULL, A, B._replace(access="r")}}
    again = msgspec.json.decode(msgspec.json.encode(scene.guest.resources.held), type=Held)
    assert again == scene.guest.resources.held


def test_hosts_without_the_controller(scene: Scene) -> None:
    scene.host.groups.controllers.discard("devices")
    scene.start(image("/dev/a"))
    assert scene.guest.group == GROUP
    assert scene.join(image("/dev/b")).nodes == ()
    scene.admit("/dev/b")
    scene.settle()
    assert scene.host.groups.allowed == {}


def test_a_kernel_that_lets_us_not(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene.host.groups, "limit_devices", lambda path, rules: False)
    scene.start(image("/dev/a"))
    assert scene.guest.resources.held.nodes == ()


def test_a_guest_whose_group_cannot_be_made(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise SystemCallError(f"Failed to create controller group {path}: No space left on device", int1=28)

    monkeypatch.setattr(scene.host.groups, "make", refuse)
    scene.start(image("/dev/a"))
    assert (scene.guest.group, scene.guest.resources.held.nodes) == ("", ())


def test_a_device_that_cannot_be_allowed(scene: Scene) -> None:
    scene.host.groups.refused = {A}
    with pytest.raises(SystemCallError, match="Unable to allow devices"):
        scene.start(image("/dev/a"))


# -- while it runs -----------------------------------------------------------------------------


def test_devices_come_and_go(scene: Scene) -> None:
    scene.start(image("/dev/a", write=False))
    part = scene.join(image("/dev/b"))
    assert scene.allowed == {A_READ, B}
    scene.guest.resources.give_back(part)
    scene.settle()
    assert scene.allowed == {A_READ}


def test_one_node_by_two_names(scene: Scene) -> None:
    scene.start(image("/dev/a", write=False))
    joined = plan.Needs(files=(image("/dev/link-to-a"), image("/dev/a", write=False)))
    part = scene.join(*joined.files)
    assert scene.allowed == {A_READ, A}
    stays = plan.Needs(files=(image("/dev/a", write=False),))
    assert part_of(scene.guest.resources.held, joined, stays, ()).nodes == part.nodes
    scene.guest.resources.give_back(part)
    scene.settle()
    assert scene.allowed == {A_READ}


def test_what_all_guests_may_open_stays_when_a_device_leaves_that_had_it(scene: Scene) -> None:
    scene.start()
    joined = plan.Needs(files=(plan.File("/dev/null", False, "rng0", "device"),))
    scene.join(*joined.files)
    scene.guest.resources.give_back(part_of(scene.guest.resources.held, joined, plan.Needs(), ()))
    scene.settle()
    assert NULL in scene.host.groups.allowed[GROUP]


def test_images_of_jobs(scene: Scene) -> None:
    scene.start(image("/dev/a", write=False))
    scene.admit("/dev/a")
    scene.admit("/dev/b", write=False)
    scene.admit("/dev/b", write=False)
    scene.admit("/images/plain")
    assert scene.allowed == {A_READ, A, B._replace(access="r")}
    assert len(scene.saved) == 2
    scene.guest.resources.take_back(["/dev/b"])
    scene.settle()
    assert scene.allowed == {A_READ, A}


def test_an_image_that_cannot_be_allowed(scene: Scene) -> None:
    scene.start(image("/dev/a"))
    scene.host.groups.refused = {B}
    with pytest.raises(SystemCallError, match="Unable to allow devices"):
        scene.admit("/dev/b")
    assert scene.allowed == {A}
    assert all(node.source != "/dev/b" for node in scene.guest.resources.held.nodes)


def test_a_status_that_cannot_be_written(scene: Scene) -> None:
    def full(record: object) -> None:
        raise SystemCallError("no space left")

    scene.start(image("/dev/a"))
    scene.context.save = full
    with pytest.raises(SystemCallError, match="no space left"):
        scene.admit("/dev/b")
    assert scene.allowed == {A}


def test_a_daemon_that_has_lost_the_right(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.start(image("/dev/a"))
    monkeypatch.setattr(scene.host.groups, "limit_devices", lambda path, rules: False)
    with pytest.raises(SystemCallError, match=r"Unable to allow devices .*Operation not permitted"):
        scene.admit("/dev/b")
    scene.settle()
