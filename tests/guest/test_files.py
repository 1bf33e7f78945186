"""A disk whose image a client hands over open: QEMU's user could not open it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.contract.domains import Domains, Lifecycle, Monitor
from roost.contract.files import Files
from roost.errors import InvalidArg
from support.world import World, run, world_root

pytestmark = pytest.mark.guest

XML = """<domain type='qemu'><name>q-files</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><disk type='file' device='disk'>
<driver name='qemu' type='raw'/><source file='{path}' fdgroup='mine'/><target dev='vda' bus='virtio'/></disk>
</devices></domain>"""


@pytest.fixture
def root() -> Iterator[Path]:
    with world_root() as made:
        yield made


def test_an_image_by_its_descriptor(root: Path) -> None:
    path = root / "closed" / "image"
    path.parent.mkdir(mode=0o700)
    path.write_bytes(bytes(1 << 20))
    path.chmod(0o600)

    async def scenario(world: World) -> None:
        ref = await world.get(Domains).define(XML.format(path=path), 0)
        with pytest.raises(InvalidArg, match="file descriptor group 'mine' was not associated with the domain"):
            await world.get(Lifecycle).create(ref, 0)
        before = len(os.listdir("/proc/self/fd"))
        with path.open("r+b") as image:
            forget = world.get(Files).associate(ref, "mine", 0, [image.fileno()])
            again = world.get(Files).associate(ref, "mine", 0, [image.fileno()])
        ref = await world.get(Lifecycle).create(ref, 0)
        answer = await world.get(Monitor).command(ref, '{"execute": "query-named-block-nodes"}', 0)
        assert any(node["image"]["virtual-size"] == 1 << 20 for node in json.loads(answer)["return"])
        forget()
        again()
        await world.get(Lifecycle).destroy(ref, 0)
        assert len(os.listdir("/proc/self/fd")) == before
        with pytest.raises(InvalidArg, match="was not associated"):
            await world.get(Lifecycle).create(ref, 0)

    run(root, scenario)
