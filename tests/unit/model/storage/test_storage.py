"""Storage documents where no libvirt can be asked: sources that were found, other pools' volumes, capabilities."""

from __future__ import annotations

from typing import get_args

import pytest
from msgspec.structs import replace

from roost.errors import ConfigUnsupported, NoSupport, XmlError
from roost.model import storage
from roost.model.domain.devices.disksource import DiskFormat
from roost.model.storage.kinds import KINDS, PoolType
from roost.model.storage.paths import tidy_path
from support.peer import Peer, virsh_ok


def test_every_type_of_pool_has_a_row() -> None:
    assert set(KINDS) == set(get_args(PoolType))
    images = KINDS["dir"].volume_formats
    assert images is not None
    assert set(images.names) == set(get_args(DiskFormat))


@pytest.mark.parametrize(
    ("written", "tidied"),
    [
        ("/a//b/", "/a/b"), ("//a//b/", "//a/b"), ("///a", "/a"), ("/", "/"), ("//", "//"), ("a/b//", "a/b"),
        ("nfs://h//e/", "nfs://h//e/"), ("", ""),
    ],
)  # fmt: skip
def test_paths_are_tidied(written: str, tidied: str) -> None:
    assert tidy_path(written) == tidied


def test_sources_that_were_found_are_listed() -> None:
    wanted = storage.parse_source("<source><host name='a'/><dir path='/e//x'/></source>", "netfs")
    assert storage.format_sources([wanted], "netfs") == (
        "<sources>\n  <source>\n    <host name='a'/>\n    <dir path='/e/x'/>\n    <format type='auto'/>\n"
        "  </source>\n</sources>\n"
    )
    with pytest.raises(ConfigUnsupported, match="unknown pool format type ext4; it is one of auto, nfs"):
        storage.parse_source("<source><format type='ext4'/></source>", "netfs")


def volume(kind: PoolType, target: str) -> storage.Volume:
    xml = f"<volume><name>v</name><capacity>1</capacity><target>{target}</target></volume>"
    return storage.complete_volume(storage.parse_volume(xml), storage.Pool(type=kind))


def test_formats_of_volumes_are_those_of_the_pool() -> None:
    assert volume("disk", "").target.format == "none"
    assert volume("disk", "<format type='linux-swap'/>").target.format == "linux-swap"
    assert volume("logical", "<format type='anything'/>").target.format is None
    assert volume("rbd", "").target.format == "raw"
    with pytest.raises(ConfigUnsupported, match="unknown volume format type qcow2; it is one of none, linux"):
        volume("disk", "<format type='qcow2'/>")


def test_a_directory_has_no_backing_image() -> None:
    made = volume("dir", "<format type='dir'/>")
    storage.check_new_file(made)
    backing = storage.parse_volume(
        "<volume><name>v</name><backingStore><path>/b</path></backingStore></volume>"
    ).backing_store
    with pytest.raises(NoSupport, match="backing storage not supported for directories volumes"):
        storage.check_new_file(replace(made, backing_store=backing))


def test_what_a_running_pool_has_is_kept_on_request() -> None:
    xml = (
        "<pool type='disk'><name>p</name><capacity unit='KiB'>8</capacity><source><device path='/dev/x'>"
        "<freeExtent start='1' end='2'/></device></source><target><path>/dev</path></target></pool>"
    )
    running, defined = storage.parse_pool(xml, live=True), storage.parse_pool(xml)
    assert (running.capacity, len(running.source.devices[0].free_extents)) == (8192, 1)
    assert (defined.capacity, defined.source.devices[0].free_extents) == (0, ())
    assert "<freeExtent start='1' end='2'/>" in storage.format_pool(running)


def test_where_a_volume_lies_is_kept_on_request() -> None:
    xml = (
        "<volume><name>v</name><source><device path='/dev/x'><extent start='0' end='4096'/></device></source>"
        "<capacity>1</capacity></volume>"
    )
    text = storage.format_volume(storage.parse_volume(xml, live=True))
    assert "<device path='/dev/x'>\n      <extent start='0' end='4096'/>" in text
    assert storage.parse_volume(xml).devices == ()


def test_a_secret_is_named_in_one_way() -> None:
    with pytest.raises(XmlError, match="either secret uuid or usage expected"):
        volume(
            "dir",
            "<encryption format='luks'><secret type='passphrase' usage='a' "
            "uuid='2ec115d7-3a88-3ceb-bc12-0ac909a6fd87'/></encryption>",
        )


@pytest.mark.peer
def test_capabilities_are_listed_as_libvirt_does(peer: Peer) -> None:
    theirs = virsh_ok(peer.uri, "pool-capabilities")
    supported = {kind for kind in KINDS if f"<pool type='{kind}' supported='yes'>" in theirs}
    assert "dir" in supported
    assert storage.format_capabilities(storage.pool_capabilities(supported)) == theirs.strip() + "\n"
