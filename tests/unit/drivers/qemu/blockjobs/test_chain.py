"""A disk's chain of images: read, looked up in, rebuilt."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from roost.drivers.qemu.blockjobs import chain as C
from roost.drivers.qemu.plan.imagenumbers import next_number
from roost.errors import InvalidArg
from roost.model import domain as model
from roost.model.domain import Domain
from roost.model.domain.devices.disk import BackingStore, Disk, FileSource, NetworkDiskHost, NetworkSource

XML = """<domain type='qemu' id='1'><name>g</name><memory unit='KiB'>65536</memory><os><type>hvm</type></os><devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/images/top' index='1'/>
<backingStore type='file' index='3'><format type='qcow2'/><source file='/images/sub/middle'/>
<backingStore type='file' index='4'><format type='raw'/><source file='/images/base'/><backingStore/></backingStore>
</backingStore><mirror type='file' job='copy'><format type='qcow2'/><source file='/images/copy' index='7'/></mirror>
<target dev='vda' bus='virtio'/></disk></devices></domain>"""


@pytest.fixture
def domain() -> Domain:
    return model.parse(XML, live=True)


@pytest.fixture
def disk(domain: Domain) -> Disk:
    return domain.devices.disks[0]


def test_read_and_rebuilt(disk: Disk) -> None:
    chain = C.chain_of(disk)
    assert [(layer.number, layer.path, layer.format) for layer in chain.layers] == [
        (1, "/images/top", "qcow2"), (3, "/images/sub/middle", "qcow2"), (4, "/images/base", "raw"),
    ]  # fmt: skip
    assert chain.end == BackingStore()
    assert C.with_chain(disk, chain) == disk
    shorter = C.with_chain(disk, chain._replace(layers=chain.layers[1:]))
    assert [layer.number for layer in C.chain_of(shorter).layers] == [3, 4]


@pytest.mark.parametrize(
    ("name", "below", "place"),
    [
        (None, None, 2),
        ("vda[3]", None, 1),
        ("/images/base", None, 2),
        ("sub/middle", None, 1),
        ("../base", None, 2),
        ("vda[4]", 0, 2),
        (None, 1, 2),
    ],
)
def test_found(disk: Disk, name: str | None, below: int | None, place: int) -> None:
    assert C.find(C.chain_of(disk), "vda", name, below=below) == place


@pytest.mark.parametrize(
    ("name", "below", "words"),
    [
        ("vda[9]", None, "could not find backing store index '9' in chain for 'vda'"),
        ("vdb[3]", None, "requested target 'vdb' does not match target 'vda'"),
        ("/images/other", None, "could not find image '/images/other' in chain for 'vda'"),
        ("vda[1]", 0, "could not find backing store index '1' in chain for 'vda'"),
        ("/images/top", 0, "could not find image '/images/top' beneath '/images/top' in chain for 'vda'"),
        (None, 2, "could not find base image in chain for 'vda'"),
    ],
)
def test_not_found(disk: Disk, name: str | None, below: int | None, words: str) -> None:
    with pytest.raises(InvalidArg) as caught:
        C.find(C.chain_of(disk), "vda", name, below=below)
    assert words in str(caught.value)


def test_what_is_not_found_is_told_with_what_there_is(disk: Disk) -> None:
    with pytest.raises(InvalidArg) as caught:
        C.find(C.chain_of(disk), "vda", "vda[9]")
    assert "vda[3] (/images/sub/middle)" in caught.value.hint


def test_disks_by_target_and_path(domain: Domain, disk: Disk) -> None:
    assert C.disk_named(domain, "vda") is disk
    assert C.disk_named(domain, "/images/top") is disk
    with pytest.raises(InvalidArg, match="disk 'vdb' not found in domain"):
        C.disk_named(domain, "vdb")


def test_numbers_and_nodes(domain: Domain) -> None:
    assert next_number(domain.devices.disks) == 8
    assert next_number(domain.devices.disks, 9) == 10
    assert next_number(()) == 1
    found = C.image_at_node(domain, "libvirt-7-storage")
    assert found is not None
    assert (found[0], found[1].path, found[2]) == ("vda", "/images/copy", False)
    assert C.image_at_node(domain, "libvirt-9-storage") is None


def test_places() -> None:
    nbd = NetworkSource(protocol="nbd", name="a", hosts=(NetworkDiskHost(name="h", port=1),))
    assert C.is_same_place(FileSource(file="/a", index=1), FileSource(file="/a"))
    assert not C.is_same_place(FileSource(file="/a"), FileSource(file="/b"))
    assert not C.is_same_place(FileSource(), FileSource())
    assert C.is_same_place(nbd, replace(nbd, index=5))
    assert not C.is_same_place(nbd, replace(nbd, name="b"))
    assert not C.is_same_place(nbd, FileSource(file="a"))
