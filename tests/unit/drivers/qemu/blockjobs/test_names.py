"""What a job writes into an image's header as the name of the one below."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from roost.drivers.qemu import imageformats
from roost.drivers.qemu.blockjobs.chain import Chain, Layer
from roost.drivers.qemu.blockjobs.names import absolute_name, backing_name
from roost.errors import OperationInvalid
from roost.model.domain.devices.disk import FileSource, NetworkDiskHost, NetworkSource, Slice


def test_absolute_names() -> None:
    assert absolute_name(Layer(1, FileSource(file="/a"), "qcow2")) == "/a"
    part = FileSource(file="/a", slices=(Slice(offset=512, size=1024),))
    assert absolute_name(Layer(1, part, "qcow2")) == (
        'json:{"driver":"qcow2","file":{"driver":"raw","file":{"driver":"file","filename":"/a"},"offset":512,'
        '"size":1024}}'
    )
    nbd = NetworkSource(protocol="nbd", name="x", hosts=(NetworkDiskHost(name="h", port=10809),))
    assert absolute_name(Layer(1, nbd, "raw")) == (
        'json:{"driver":"raw","file":{"driver":"nbd","server":{"type":"inet","host":"h","port":"10809"},"export":"x"}}'
    )


def test_relative_names_are_put_together(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    layers = []
    for number, (name, below) in enumerate((("top", "sub/middle"), ("sub/middle", "../base"), ("base", "")), 1):
        path = tmp_path / name
        path.write_bytes(imageformats.overlay(1 << 20, below, "qcow2") if below else b"")
        layers.append(Layer(number, FileSource(file=str(path)), "qcow2"))
    chain = Chain(tuple(layers))
    assert asyncio.run(backing_name(chain, 1, 2, relative=True)) == "sub/../base"
    assert asyncio.run(backing_name(chain, 1, 2, relative=False)) == str(tmp_path / "base")
    (tmp_path / "top").write_bytes(imageformats.overlay(1 << 20, str(tmp_path / "sub/middle"), "qcow2"))
    with pytest.raises(OperationInvalid, match="can't keep relative backing relationship"):
        asyncio.run(backing_name(chain, 1, 2, relative=True))
