"""Sizes of images that no guest has open."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from roost.drivers.qemu import imageformats
from roost.drivers.qemu.statistics import sizes
from roost.drivers.qemu.statistics.blocks import Size


def test_a_raw_image_with_holes(tmp_path: Path) -> None:
    path = tmp_path / "raw"
    with path.open("wb") as file:
        file.truncate(1 << 20)
    assert sizes.size_of(str(path), "raw") == Size(0, 1 << 20, 1 << 20)


def test_the_header_tells_and_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(imageformats.overlay(1 << 30, "/base", "raw"))
    assert sizes.size_of(str(path), "qcow2").capacity == 1 << 30
    path.write_bytes(imageformats.overlay(1 << 31, "/base", "raw"))
    os.utime(path, ns=(1, 1))
    assert sizes.size_of(str(path), "qcow2").capacity == 1 << 31


def test_a_directory_has_none(tmp_path: Path) -> None:
    assert sizes.size_of(str(tmp_path), "raw") == Size(0, 0, 0)


def test_missing_images_are_left_out(tmp_path: Path) -> None:
    present = tmp_path / "present"
    present.write_bytes(b"x" * 512)
    wanted = [(str(present), "raw"), (str(tmp_path / "absent"), "raw")]
    measured = asyncio.run(sizes.ImageSizes(60).measure(wanted, [str(present), str(tmp_path / "absent")]))
    assert list(measured.sizes) == [(str(present), "raw")]
    assert measured.allocated == {str(present): present.stat().st_blocks * 512}
    assert asyncio.run(sizes.ImageSizes(60).measure([])) == sizes.Measured()


def test_who_asks_at_the_same_time_is_answered_too(tmp_path: Path) -> None:
    async def main() -> list[sizes.Measured]:
        both = sizes.ImageSizes(60)
        return await asyncio.gather(*(both.measure([], [str(path)]) for path in paths))

    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.touch()
    assert [list(measured.allocated) for measured in asyncio.run(main())] == [[str(path)] for path in paths]


def test_a_file_system_that_does_not_answer_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    release, asked = threading.Event(), []

    def hang(path: str, format: str) -> Size:
        asked.append(path)
        release.wait()
        return Size(1, 2, 3)

    monkeypatch.setattr(sizes, "size_of", hang)

    async def main() -> None:
        slow = sizes.ImageSizes(0.01)
        assert await slow.measure([("/nfs/a", "raw")]) == sizes.Measured()
        assert await slow.measure([("/nfs/a", "raw")]) == sizes.Measured()
        assert asked == ["/nfs/a"]
        release.set()

    asyncio.run(main())
