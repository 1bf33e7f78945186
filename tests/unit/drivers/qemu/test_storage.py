"""What a start finds out about disks: media, volumes, secrets, chains and their ends."""

from __future__ import annotations

import asyncio
import os
import stat
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from roost.contract.lookups import Lookups, SecretLookup, VolumeLookup
from roost.drivers.qemu import plan, storage
from roost.drivers.qemu.imageformats import overlay
from roost.errors import ConfigUnsupported, NoSecret, NoStoragePool, OperationInvalid, RoostError, SystemCallError
from roost.host.api import Account
from roost.model.domain import Domain, format, parse
from roost.model.domain.complete import complete
from roost.model.domain.devices.disk import AnyDiskSource, Disk, FileSource
from support import machines


def document(*disks: str) -> Domain:
    xml = (
        "<domain type='qemu'><name>g</name><memory unit='MiB'>64</memory>"
        f"<os><type machine='pc'>hvm</type></os><devices>{''.join(disks)}</devices></domain>"
    )
    return complete(parse(xml), machines.facts())


def disk(source: str, *, type: str = "file", format: str = "qcow2", target: str = "vda", rest: str = "") -> str:
    return f"<disk type='{type}'><driver name='qemu' type='{format}'/>{source}<target dev='{target}'/>{rest}</disk>"


def found(*disks: str, lookups: Lookups | None = None, account: Account | None = None) -> storage.Found:
    return asyncio.run(storage.prepare(document(*disks), lookups or Lookups(), account))


def image(path: Path, backing: str, backing_format: str = "qcow2") -> Path:
    path.write_bytes(overlay(1 << 20, backing, backing_format))
    return path


def chain_of(disk: Disk) -> list[tuple[str | None, str | None]]:
    """(path, format) of the images below a disk; (None, None) where the chain is said to end."""
    below: list[tuple[str | None, str | None]] = []
    store = disk.backing_store
    while store is not None:
        source = store.source
        below.append((source.file if isinstance(source, FileSource) else None, store.format))
        store = store.backing_store
    return below


def test_a_chain_is_followed_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "base").write_bytes(bytes(1024))
    image(tmp_path / "middle", "base", "raw")
    top = image(tmp_path / "top", str(tmp_path / "middle"))
    (done,) = found(disk(f"<source file='{top}'/>")).document.devices.disks
    assert chain_of(done) == [(f"{tmp_path}/middle", "qcow2"), (f"{tmp_path}/base", "raw"), (None, None)]


def test_a_raw_image_is_never_looked_into(tmp_path: Path) -> None:
    top = image(tmp_path / "top", "/etc/shadow", "raw")
    (done,) = found(disk(f"<source file='{top}'/>", format="raw")).document.devices.disks
    assert chain_of(done) == [(None, None)]


def test_what_the_document_says_of_a_chain_goes_first(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(bytes(512))
    top = image(tmp_path / "top", "/nowhere", "raw")
    told = f"<backingStore type='file'><format type='raw'/><source file='{tmp_path}/other'/></backingStore>"
    (done,) = found(disk(f"<source file='{top}'/>", rest=told)).document.devices.disks
    assert chain_of(done) == [(f"{tmp_path}/other", "raw"), (None, None)]
    (done,) = found(disk(f"<source file='{top}'/>", rest="<backingStore/>")).document.devices.disks
    assert chain_of(done) == [(None, None)]


def circle(path: Path) -> Path:
    image(path / "a", "b")
    os.link(path / "a", path / "b")
    return path / "a"


def endless(path: Path) -> Path:
    for number in range(storage.MAX_DEPTH + 1):
        image(path / str(number), str(number + 1))
    (path / str(storage.MAX_DEPTH + 1)).write_bytes(b"")
    return path / "0"


def unknown(path: Path) -> Path:
    (path / "b").write_bytes(b"")
    return image(path / "a", "b", "zip")


def broken(path: Path) -> Path:
    (path / "a").write_bytes(b"QFI\xfb" + struct.pack(">I", 3) + bytes(200))
    return path / "a"


def strange(path: Path) -> Path:
    return image(path / "a", "fat:rw:/etc", "raw")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (circle, "backing store for .*/a is self-referential or too deeply nested"),
        (endless, "backing chains more than 200 layers deep are not supported for disk 'vda'"),
        (unknown, "unknown backing store format 'zip'"),
        (broken, "cannot read the header of .*/a' as qcow2: its header says that it has 0 bytes"),
        (strange, "failed to parse backing file location 'fat:rw:/etc' of .*/a': unsupported protocol 'fat'"),
    ],
)
def test_chains_that_are_refused(tmp_path: Path, make: Callable[[Path], Path], text: str) -> None:
    with pytest.raises(RoostError, match=text):
        found(disk(f"<source file='{make(tmp_path)}'/>"))


def test_a_missing_backing_image_is_named(tmp_path: Path) -> None:
    top = image(tmp_path / "top", "gone")
    with pytest.raises(SystemCallError) as caught:
        found(disk(f"<source file='{top}'/>"), account=Account("q", 7, 8, ()))
    text = f"Cannot access backing file '{tmp_path}/gone' of storage file '{top}' (as uid:7, gid:8): No such file"
    assert text in caught.value.message


def unformatted(path: Path, backing: str) -> Path:
    """A qcow2 image that does not tell its backing image's format."""
    name = backing.encode()
    start = struct.pack(">4sIQI", b"QFI\xfb", 2, 72, len(name))
    path.write_bytes(start.ljust(72, b"\0") + name)
    return path


def test_a_format_nobody_told_is_found_out_but_leads_no_further(tmp_path: Path) -> None:
    (tmp_path / "base").write_bytes(bytes(512))
    (done,) = found(disk(f"<source file='{unformatted(tmp_path / 'a', 'base')}'/>")).document.devices.disks
    assert chain_of(done) == [(f"{tmp_path}/base", "raw"), (None, None)]
    image(tmp_path / "middle", "base", "raw")
    with pytest.raises(OperationInvalid, match="was not specified in the image metadata"):
        found(disk(f"<source file='{unformatted(tmp_path / 'b', 'middle')}'/>"))


def test_media_that_may_be_missing(tmp_path: Path) -> None:
    gone = f"<source file='{tmp_path}/gone' startupPolicy='optional'/>"
    cdrom = (
        f"<disk type='file' device='cdrom'><driver name='qemu' type='raw'/>{gone}<target dev='hda' bus='ide'/></disk>"
    )
    (drive,) = found(disk(gone), cdrom).document.devices.disks
    assert (drive.target.dev, drive.source, drive.driver and drive.driver.type) == ("hda", FileSource(), None)


def test_a_transient_disk_writes_beside(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(4096))
    done = found(disk(f"<source file='{path}'/>", format="raw", rest="<transient/>"))
    (made,) = done.overlays
    assert (made.path, made.size) == (f"{path}.TRANSIENT-g", 4096)
    assert f"<source file='{made.path}'/>" in format(done.document)
    made.write()
    assert stat.S_IMODE(Path(made.path).stat().st_mode) == stat.S_IRUSR | stat.S_IWUSR
    with pytest.raises(ConfigUnsupported, match=r"overlay file .* for transient disk 'vda' already exists"):
        found(disk(f"<source file='{path}'/>", format="raw", rest="<transient/>"))


class Volumes(VolumeLookup):
    async def source(self, pool: str, volume: str, mode: str | None) -> AnyDiskSource:
        return FileSource(file=f"/{pool}/{volume}")


class Secrets(SecretLookup):
    async def value(self, kind: str, *, uuid: str | None = None, usage: str | None = None) -> bytes:
        return f"{kind}:{uuid or usage}".encode()


def test_volumes_and_secrets_are_asked_for() -> None:
    volume = disk("<source pool='p' volume='v'/>", type="volume", format="raw")
    with pytest.raises(NoStoragePool, match="Storage pool not found: no storage pool with matching name 'p'"):
        found(volume)
    assert found(volume, lookups=Lookups(volumes=Volumes())).volumes == {("p", "v"): FileSource(file="/p/v")}
    needs = plan.Needs(secrets=(plan.Secret("a", "volume", usage="x"), plan.Secret("b", value="c=d")))
    assert asyncio.run(storage.secret_values(needs, Lookups(secrets=Secrets()))) == {"a": b"volume:x", "b": b"c=d"}
    with pytest.raises(NoSecret, match="Secret not found: no secret with matching usage 'x'"):
        asyncio.run(storage.secret_values(needs, Lookups()))


def test_what_is_no_image_is_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (done,) = found(disk(f"<source file='{tmp_path}/pipe'/>")).document.devices.disks
    assert chain_of(done) == [(None, None)]
    nbd = disk("<source protocol='nbd' name='x'><host name='h'/></source>", type="network", format="raw")
    (done,) = found(nbd).document.devices.disks
    assert "tls='no'" in format(found(nbd).document)
    assert chain_of(done) == [(None, None)]
