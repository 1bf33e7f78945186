"""Headers of images: read from what qemu-img makes, and from bytes that nobody should have made."""

from __future__ import annotations

import contextlib
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.drivers.qemu.imageformats import (
    HEADER_BYTES,
    BadImage,
    Header,
    bitmap_count,
    header,
    overlay,
    probe,
    snapshot_table,
    snapshots,
    virtual_size,
)

needs_qemu_img = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")


def read(path: Path) -> bytes:
    return path.read_bytes()[:HEADER_BYTES]


def make(directory: Path, *words: str) -> None:
    subprocess.run(["qemu-img", "create", "-q", *words], cwd=directory, check=True, stdin=subprocess.DEVNULL)


@needs_qemu_img
@pytest.mark.parametrize(
    ("format", "name"),
    [
        ("raw", "raw"), ("qcow2", "qcow2"), ("qcow", "qcow"), ("qed", "qed"), ("vmdk", "vmdk"), ("vdi", "vdi"),
        ("vpc", "vpc"), ("vhdx", "vhd"), ("parallels", "ploop"),
    ],
)  # fmt: skip
def test_formats_are_told_by_their_first_bytes(tmp_path: Path, format: str, name: str) -> None:
    make(tmp_path, "-f", format, "image", "1M")
    data = read(tmp_path / "image")
    assert probe(data) == name
    assert header(data, name) == Header()


@needs_qemu_img
@pytest.mark.parametrize(
    ("format", "below", "wanted"),
    [
        ("qcow2", "raw", Header("base", "raw")),
        ("qcow2", "qcow2", Header("base", "qcow2")),
        ("qcow2", "vhdx", Header("base", "vhd")),
        ("qed", "raw", Header("base", "raw")),
        ("qcow", "raw", Header("base", "")),
        ("vmdk", "vmdk", Header("base", "vmdk")),
    ],
)
def test_what_an_image_builds_upon(tmp_path: Path, format: str, below: str, wanted: Header) -> None:
    make(tmp_path, "-f", below, "base", "1M")
    make(tmp_path, "-f", format, "-b", "base", "-F", below, "image")
    assert header(read(tmp_path / "image"), format) == wanted


@needs_qemu_img
def test_old_qcow2_and_data_elsewhere(tmp_path: Path) -> None:
    make(tmp_path, "-f", "raw", "base", "1M")
    make(tmp_path, "-f", "qcow2", "-o", "compat=0.10", "-b", "base", "-F", "raw", "old")
    assert header(read(tmp_path / "old"), "qcow2") == Header("base", "raw")
    make(tmp_path, "-f", "qcow2", "-o", "data_file=data,data_file_raw=on", "split", "1M")
    assert header(read(tmp_path / "split"), "qcow2") == Header(data="data")


@needs_qemu_img
@pytest.mark.parametrize("size", [512, 1 << 20, (5 << 30) + 512, 1 << 42])
def test_an_overlay_is_what_qemu_takes_for_one(tmp_path: Path, size: int) -> None:
    with (tmp_path / "base").open("wb") as base:
        base.truncate(size)
    (tmp_path / "over").write_bytes(overlay(size, "base", "raw"))
    data = read(tmp_path / "over")
    assert (probe(data), header(data, "qcow2")) == ("qcow2", Header("base", "raw"))
    assert virtual_size(data, "qcow2") == size
    subprocess.run(["qemu-img", "check", "-q", "over"], cwd=tmp_path, check=True, stdin=subprocess.DEVNULL)
    compare = ["qemu-img", "compare", "-q", "-f", "raw", "-F", "qcow2", "base", "over"]
    if size < 1 << 31:
        subprocess.run(compare, cwd=tmp_path, check=True, stdin=subprocess.DEVNULL)


def test_sizes_of_others_are_not_known() -> None:
    assert virtual_size(b"QED\0" + bytes(200), "qed") is None
    assert virtual_size(b"", "qcow2") is None


def qcow2(*, offset: int = 0, size: int = 0, length: int = 104, extensions: bytes = b"") -> bytes:
    start = struct.pack(">4sIQI", b"QFI\xfb", 3, offset, size)
    return (start.ljust(100, b"\0") + struct.pack(">I", length) + extensions).ljust(4096, b"\0")


@pytest.mark.parametrize(
    ("data", "format", "text"),
    [
        (b"", "qcow2", "ends too early"),
        (b"RAW!" + bytes(200), "qcow2", "no qcow2 image"),
        (b"RAW!" + bytes(200), "qcow", "no qcow image"),
        (b"RAW!" + bytes(200), "qed", "no qed image"),
        (b"RAW!" + bytes(200), "vmdk", "no vmdk image"),
        (qcow2(offset=200, size=2000), "qcow2", "has 2000 bytes, more than 1023"),
        (qcow2(offset=1 << 40, size=9), "qcow2", "outside of its header"),
        (qcow2(offset=200, size=9), "qcow2", "has a NUL byte"),
        (qcow2(length=72), "qcow2", "says that it has 72 bytes"),
        (qcow2(extensions=struct.pack(">II", 0xE2792ACA, 1 << 30)), "qcow2", "extension lies outside"),
        (b"QED\0" + bytes(12) + struct.pack("<Q", 1) + bytes(8), "qed", "ends too early"),
    ],
)
def test_headers_that_contradict_themselves(data: bytes, format: str, text: str) -> None:
    with pytest.raises(BadImage, match=text):
        header(data, format)


def test_a_backing_name_too_long_for_an_overlay() -> None:
    with pytest.raises(BadImage, match="1024 bytes, more than 1023"):
        overlay(1, "x" * 1024, "raw")


MAGIC = st.sampled_from([b"QFI\xfb\0\0\0\x02", b"QFI\xfb\0\0\0\x03", b"QFI\xfb\0\0\0\x01", b"QED\0", b"KDMV", b""])


@given(MAGIC, st.binary(max_size=600))
def test_any_bytes_are_a_header_or_a_bad_image(magic: bytes, rest: bytes) -> None:
    data = magic + rest
    for format in {probe(data), "qcow", "qcow2", "qed", "vmdk", "raw"}:
        try:
            found = header(data, format)
        except BadImage:
            continue
        assert found.backing is None or "\0" not in found.backing


@needs_qemu_img
def test_snapshots_in_an_image(tmp_path: Path) -> None:
    make(tmp_path, "-f", "qcow2", "a", "1M")
    for name in ("one", "a much longer name", "ünïcode"):
        subprocess.run(["qemu-img", "snapshot", "-c", name, "a"], cwd=tmp_path, check=True)
    data = (tmp_path / "a").read_bytes()
    count, offset = snapshot_table(data[:HEADER_BYTES])
    assert snapshots(data[offset:], count) == {"one": False, "a much longer name": False, "ünïcode": False}
    with pytest.raises(BadImage, match="ends early"):
        snapshots(data[offset : offset + 30], count)
    assert bitmap_count(data[:HEADER_BYTES]) == 0
    for name in ("b", "c"):
        subprocess.run(["qemu-img", "bitmap", "--add", "a", name], cwd=tmp_path, check=True)
    assert bitmap_count(read(tmp_path / "a")) == 2
    assert bitmap_count(b"QED" + bytes(100)) == 0
    with pytest.raises(BadImage, match="no qcow2 image"):
        snapshot_table(b"QED" + bytes(100))


@given(st.binary(max_size=300), st.integers(0, 5))
def test_tables_that_nobody_should_have_made(data: bytes, count: int) -> None:
    found: dict[str, bool] = {}
    with contextlib.suppress(BadImage):
        found = snapshots(data, count)
    assert len(found) <= count
