"""libvirtd and roostd side by side, saving guests in the same format."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from support.daemon import RoostDaemon
from support.peer import Peer


class Sides(NamedTuple):
    """Two daemons, and a directory that both see."""

    libvirtd: str
    roostd: str
    directory: Path


def sides(peer: Peer, format: str) -> Iterator[Sides]:
    with tempfile.TemporaryDirectory(prefix="roost-save-", dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        root = Path(directory, "roost")
        (root / "etc").mkdir(parents=True)
        (root / "etc" / "qemu.conf").write_text(f'save_image_format = "{format}"\n')
        with peer, RoostDaemon(root) as daemon:
            yield Sides(peer.uri, daemon.uri, Path(directory))
