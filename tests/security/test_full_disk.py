"""A disk that is full refuses what is new and keeps what is there."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.client.blocking import Client
from roost.constants import domain as D
from roost.errors import RoostError, SystemCallError
from support.daemon import RoostDaemon

pytestmark = pytest.mark.root

XML = """<domain type='qemu'><name>full{number}</name>
<uuid>f0110000-0000-4000-8000-{number:012}</uuid>
<description>{text}</description><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>"""
TEXT = "x" * 8000


@pytest.fixture
def small_disk() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="roost-full", dir="/tmp"))
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], check=False)
    if mounted.returncode:
        place.rmdir()
        pytest.skip("a file system cannot be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)
    place.rmdir()


def names(client: Client) -> set[str]:
    return {domain.name for domain in client.call("CONNECT_LIST_ALL_DOMAINS", 1, 0)[0]}


def fill(client: Client, defined: set[str]) -> None:
    """Define domains until it is refused."""
    for number in range(1000):
        client.call("DOMAIN_DEFINE_XML_FLAGS", XML.format(number=number, text=TEXT), 0)
        defined.add(f"full{number}")


@pytest.mark.guest
def test_definitions_survive_a_full_disk(small_disk: Path) -> None:
    daemon = RoostDaemon(small_disk)
    with daemon:
        client = Client.open(daemon.uri)
        defined: set[str] = set()
        with pytest.raises(SystemCallError, match=r"cannot write file '.*': No space left on device") as refused:
            fill(client, defined)
        assert refused.value.int1 == errno.ENOSPC
        assert defined
        assert names(client) == defined
        # A definition that exists keeps its old form when the new one does not fit.
        with pytest.raises(SystemCallError):
            client.call("DOMAIN_DEFINE_XML_FLAGS", XML.format(number=0, text=TEXT * 100), 0)
        domain = client.call("DOMAIN_LOOKUP_BY_NAME", "full0")[0]
        assert TEXT * 2 not in client.call("DOMAIN_GET_XML_DESC", domain, 0)[0]
        client.close()
        daemon.kill()
        daemon.start()
        client = Client.open(daemon.uri)
        assert names(client) == defined
        client.call("DOMAIN_UNDEFINE", domain)
        client.call("DOMAIN_DEFINE_XML_FLAGS", XML.format(number=5000, text=""), 0)
        assert names(client) == defined - {"full0"} | {"full5000"}
        client.close()


GUEST = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><controller type='usb' model='qemu-xhci'/><serial type='pty'/></devices></domain>"""
TABLET = "<input type='tablet' bus='usb'/>"


def fill_up(path: Path, leave: int = 0) -> None:
    """Leave so many bytes of the file system to others."""
    with path.open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(4096))
    os.truncate(path, path.stat().st_size - leave)


@pytest.mark.guest
def test_a_guest_goes_on_beside_a_full_disk(small_disk: Path) -> None:
    with RoostDaemon(small_disk) as daemon, contextlib.closing(Client.open(daemon.uri)) as client:
        guest, other = (client.call("DOMAIN_DEFINE_XML", GUEST.format(name=name))[0] for name in ("guest", "other"))
        client.call("DOMAIN_CREATE", guest)
        fill_up(small_disk / "filler")
        before = client.call("DOMAIN_GET_XML_DESC", guest, 0)
        refused: list[tuple[str, tuple[object, ...]]] = [
            ("DOMAIN_MANAGED_SAVE", (guest, 0)),
            ("DOMAIN_ATTACH_DEVICE_FLAGS", (guest, TABLET, D.AFFECT_LIVE)),
            ("DOMAIN_SET_MEMORY_FLAGS", (guest, 16384, D.AFFECT_CONFIG)),
            ("DOMAIN_RENAME", (other, "another", 0)),
            ("DOMAIN_CREATE", (other,)),
        ]
        for name, values in refused:
            with pytest.raises(SystemCallError, match=f"'{small_disk}/.*': No space left on device"):
                client.call(name, *values)
        # What needs no disk is done.
        client.call("DOMAIN_SUSPEND", guest)
        client.call("DOMAIN_RESUME", guest)
        assert "will not know of its last change" not in daemon.log
        client.call("DOMAIN_SET_METADATA", guest, D.METADATA_TITLE, "kept", None, None, D.AFFECT_LIVE)
        assert "a daemon that takes guest up again will not know of its last change: cannot write file" in daemon.log
        before = client.call("DOMAIN_GET_XML_DESC", guest, 0)
        assert "<title>kept</title>" in before[0]
        # Room for notes, none for memory: the half of it is removed.
        fill_up(small_disk / "filler", leave=256 << 10)
        with pytest.raises(
            RoostError, match=r"No space left on device; there is room for 0 MiB of '.*/lib/save/guest.save'"
        ):
            client.call("DOMAIN_MANAGED_SAVE", guest, 0)
        assert not list((small_disk / "lib" / "save").iterdir())
        assert client.call("DOMAIN_GET_STATE", guest, 0)[0] == D.RUNNING
        assert client.call("DOMAIN_GET_XML_DESC", guest, 0) == before
        (small_disk / "filler").unlink()
        client.call("DOMAIN_ATTACH_DEVICE_FLAGS", guest, TABLET, D.AFFECT_LIVE)
        client.call("DOMAIN_CREATE", other)
        for each in (guest, other):
            client.call("DOMAIN_DESTROY", each)
