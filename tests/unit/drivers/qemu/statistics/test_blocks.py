"""Statistics of disks: found by device and by node, with their backing images and copies."""

from __future__ import annotations

from typing import Any

import msgspec

from roost.constants import typed_params as T
from roost.drivers.qemu.statistics.answers import Answers, BlockCounters, Question, understand
from roost.drivers.qemu.statistics.blocks import BlockAnswers, Size, resting, running, sum_of, with_sizes
from roost.model import domain as model
from roost.model.domain.devices.disk import Disk, FileSource

CHAIN = """<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/a/top' index='3'/>
<backingStore type='file' index='4'><format type='qcow2'/><source file='/a/base'/><backingStore/></backingStore>
{mirror}<target dev='vda' bus='virtio'/><alias name='virtio-disk0'/></disk>"""
MIRROR = "<mirror type='file' job='copy'><format type='raw'/><source file='/a/copy' index='9'/></mirror>"
CDROM = "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/><alias name='sata0-0-0'/></disk>"


def disks(text: str) -> tuple[Disk, ...]:
    xml = f"""<domain type='qemu' id='1'><name>g</name><memory>65536</memory><os><type>hvm</type></os>
    <devices>{text}</devices></domain>"""
    return model.parse(xml, live=True).devices.disks


def entry(node: str, written: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "node-name": node,
        "stats": {"rd_bytes": written + 1, "rd_operations": 2},
        "parent": {"node-name": "below", "stats": {"wr_highest_offset": written}},
        **more,
    }


def image(node: str, virtual: int, actual: int | None = None, **more: Any) -> dict[str, Any]:
    sizes = {"virtual-size": virtual} | ({"actual-size": actual} if actual is not None else {})
    return {"node-name": node, "image": {"filename": "x", "format": "qcow2", **sizes}, **more}


def answers(drives: Any, nodes: Any = (), images: Any = ()) -> Answers:
    asked = [Question(field, "") for field in ("drives", "nodes", "images")]
    return understand(asked, [msgspec.Raw(msgspec.json.encode(each)) for each in (drives, nodes, images)])


DRIVES = [
    entry(
        "libvirt-3-format", 512, qdev="/machine/peripheral/virtio-disk0/virtio-backend",
        backing=entry("libvirt-4-format", 256),
    ),
    {"qdev": "sata0-0-0", "device": "", "stats": {"rd_bytes": 54}},
]  # fmt: skip
IMAGES = [
    image("libvirt-3-format", 8192, 4096),
    image("libvirt-3-storage", 5000, 4096, write_threshold=77),
    image("libvirt-4-format", 8192, 0),
    image("libvirt-4-storage", 6000, 0),
]


def test_a_disk_and_an_empty_drive() -> None:
    params = dict(running(disks(CHAIN.format(mirror="") + CDROM), answers(DRIVES, (), IMAGES), {}, backing=False))
    assert params == {
        "block.count": (T.UINT, 2),
        "block.0.name": (T.STRING, "vda"),
        "block.0.path": (T.STRING, "/a/top"),
        "block.0.backingIndex": (T.UINT, 3),
        "block.0.rd.reqs": (T.ULLONG, 2),
        "block.0.rd.bytes": (T.ULLONG, 513),
        **{f"block.0.{name}": (T.ULLONG, 0) for name in ("rd.times", "wr.reqs", "wr.bytes", "wr.times")},
        **{f"block.0.{name}": (T.ULLONG, 0) for name in ("fl.reqs", "fl.times")},
        "block.0.allocation": (T.ULLONG, 512),
        "block.0.capacity": (T.ULLONG, 8192),
        "block.0.physical": (T.ULLONG, 4096),
        "block.0.threshold": (T.ULLONG, 77),
        "block.1.name": (T.STRING, "sda"),
        "block.1.rd.reqs": (T.ULLONG, 0),
        "block.1.rd.bytes": (T.ULLONG, 54),
        **{f"block.1.{name}": (T.ULLONG, 0) for name in ("rd.times", "wr.reqs", "wr.bytes", "wr.times")},
        **{f"block.1.{name}": (T.ULLONG, 0) for name in ("fl.reqs", "fl.times")},
    }


def test_backing_images_and_the_copy_being_made() -> None:
    copy = [entry("libvirt-9-storage", 128)]
    told = answers(DRIVES, copy, [*IMAGES, image("libvirt-9-storage", 8192, 100)])
    params = dict(running(disks(CHAIN.format(mirror=MIRROR)), told, {}, backing=True))
    assert params["block.count"] == (T.UINT, 3)
    assert [params[f"block.{number}.path"][1] for number in range(3)] == ["/a/top", "/a/base", "/a/copy"]
    assert [params[f"block.{number}.backingIndex"][1] for number in range(3)] == [3, 4, 9]
    assert [params[f"block.{number}.allocation"][1] for number in range(3)] == [512, 256, 128]
    assert "block.1.rd.reqs" not in params, "a backing image has no device of its own"
    assert params["block.1.physical"][1] == 6000, "of what holds no data, the storage tells the size"


def test_a_guest_that_does_not_answer_has_names_only() -> None:
    params = dict(running(disks(CHAIN.format(mirror="")), Answers(), {}, backing=False))
    assert list(params) == ["block.count", "block.0.name", "block.0.path", "block.0.backingIndex"]


def test_what_a_volume_is() -> None:
    volume = "<disk type='volume'><source pool='p' volume='v' index='1'/><target dev='vda'/></disk>"
    found = dict(running(disks(volume), Answers(), {("p", "v"): FileSource(file="/pool/v")}, backing=False))
    assert found["block.0.path"] == (T.STRING, "/pool/v")
    assert "block.0.path" not in dict(running(disks(volume), Answers(), {}, backing=False))


def test_a_drive_is_found_by_its_device() -> None:
    known = BlockAnswers(
        answers(
            [
                {"qdev": "/machine/peripheral/virtio-disk1/virtio-backend", "stats": {"rd_bytes": 1}},
                {"qdev": "/machine/peripheral/virtio-disk10/virtio-backend", "stats": {"rd_bytes": 10}},
                {"device": "drive-ide0-0-0", "stats": {"rd_bytes": 3}},
                {"qdev": "ide0-0-1", "stats": {"rd_bytes": 4}},
            ]
        )
    )

    def read(alias: str) -> int | None:
        found = known.counters(disks(CDROM.replace("sata0-0-0", alias))[0])
        return found.rd_bytes if found is not None else None

    assert [read(alias) for alias in ("virtio-disk10", "ide0-0-0", "ide0-0-1", "absent")] == [10, 3, 4, None]


def test_sums() -> None:
    assert sum_of([BlockCounters(rd_bytes=1, wr_bytes=2), BlockCounters(rd_bytes=10)]).rd_bytes == 11
    assert sum_of([]) == BlockCounters()


def test_images_of_a_stopped_domain() -> None:
    images = resting(disks(CHAIN.format(mirror="") + CDROM))
    assert [(image.path, image.format) for image in images] == [("/a/top", "qcow2"), (None, "raw")]
    params = dict(with_sizes(images, {("/a/top", "qcow2"): Size(0, 8192, 100)}))
    assert params == {
        "block.count": (T.UINT, 2),
        "block.0.name": (T.STRING, "vda"),
        "block.0.path": (T.STRING, "/a/top"),
        "block.0.capacity": (T.ULLONG, 8192),
        "block.0.physical": (T.ULLONG, 100),
        "block.1.name": (T.STRING, "sda"),
    }
