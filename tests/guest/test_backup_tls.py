"""Pull backups by TLS: who may fetch them, and with what."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.constants import domain as D
from roost.contract.checkpoints import Backups
from roost.contract.domains import Domains, Lifecycle
from roost.contract.jobs import Jobs
from roost.contract.lookups import SecretLookup
from roost.drivers.qemu.config import QemuConfig
from roost.errors import NoSecret
from support.certificates import certificates
from support.daemon import RoostDaemon
from support.guests import domain_xml
from support.peer import virsh, virsh_ok
from support.world import PATIENCE, World, run, world_root

pytestmark = [
    pytest.mark.guest,
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed"),
    pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-utils is not installed"),
]

SECRET = "7e0f7a9e-1a3f-4a0c-8f0e-2d5f1f6f7b02"
PASSPHRASE = "opens the key"


@pytest.fixture
def root() -> Iterator[Path]:
    with world_root() as path:
        yield path


def guest_xml(images: Path, name: str) -> str:
    """A guest on an image of 32 MiB."""
    images.mkdir()
    images.chmod(0o777)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(images / "disk"), "32M"], check=True)
    disk = (
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{images}/disk'/>"
        "<target dev='vda' bus='virtio'/></disk>"
    )
    return domain_xml(name, memory_mib=32, devices=disk, graphics="", interfaces="")


def backup_xml(images: Path) -> tuple[str, int]:
    """A pull backup by TLS, and its port."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = int(free.getsockname()[1])
    return (
        f"<domainbackup mode='pull'><server name='localhost' port='{port}' tls='yes'/><disks>"
        f"<disk name='vda' type='file'><scratch file='{images}/scratch'/></disk></disks></domainbackup>"
    ), port


def is_fetched(port: int, directory: Path | None) -> bool:
    """Whether a client with those certificates is served, None: one without TLS."""
    image = f"driver=nbd,server.type=inet,server.host=localhost,server.port={port},export=vda"
    words = ["qemu-img", "info", "--image-opts", image]
    if directory is not None:
        credentials = f"tls-creds-x509,id=tls,dir={directory},endpoint=client"
        words = ["qemu-img", "info", "--object", credentials, "--image-opts", f"{image},tls-creds=tls"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.returncode == 0 and "virtual size: 32 MiB" in done.stdout


def until_gone(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(("settings", "strangers"), [("", False), ("backup_tls_x509_verify = 0\n", True)])
def test_clients_show_certificates_unless_they_need_not(settings: str, strangers: bool) -> None:
    with RoostDaemon() as daemon:
        pki = daemon.root / "pki"
        certificates(pki)
        daemon.stop()
        (daemon.root / "etc" / "qemu.conf").write_text(f'backup_tls_x509_cert_dir = "{pki}"\n{settings}')
        daemon.start()
        images = daemon.root / "images"
        (daemon.root / "guest.xml").write_text(guest_xml(images, "secret"))
        virsh_ok(daemon.uri, "create", str(daemon.root / "guest.xml"), "--paused")
        document, port = backup_xml(images)
        (daemon.root / "backup.xml").write_text(document)
        virsh_ok(daemon.uri, "backup-begin", "secret", str(daemon.root / "backup.xml"))
        assert is_fetched(port, pki)
        assert not is_fetched(port, None)
        assert is_fetched(port, pki / "stranger") == strangers
        virsh_ok(daemon.uri, "domjobabort", "secret")
        (daemon.root / "etc" / "qemu.conf").write_text(
            f'backup_tls_x509_cert_dir = "{pki}"\ndefault_tls_x509_secret_uuid = "{SECRET}"\n'
        )
        daemon.restart()
        refused = virsh(daemon.uri, "backup-begin", "secret", str(daemon.root / "backup.xml"))
        assert f"no secret with matching uuid '{SECRET}'" in refused.stderr
        assert not (images / "scratch").exists()


def test_a_key_that_a_secret_opens(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificates(root / "pki", PASSPHRASE)
    config = QemuConfig(backup_tls_x509_cert_dir=str(root / "pki"), backup_tls_x509_secret_uuid=SECRET)
    document, port = backup_xml(root / "images")
    xml = guest_xml(root / "images", "closed")

    async def value(self: SecretLookup, kind: str, *, uuid: str | None = None, usage: str | None = None) -> bytes:
        assert (kind, uuid) == ("tls", SECRET)
        return PASSPHRASE.encode()

    async def scenario(world: World) -> None:
        backups = world.get(Backups)
        ref = await world.get(Domains).create_xml(xml, D.START_PAUSED)
        with pytest.raises(NoSecret):
            await backups.begin(ref, document, None, 0)
        monkeypatch.setattr(SecretLookup, "value", value)
        for _ in range(2):
            # What the first one has made in QEMU is not in the way of the second.
            await backups.begin(ref, document, None, 0)
            assert await asyncio.to_thread(is_fetched, port, root / "pki")
            await world.get(Jobs).abort(ref, 0)
            await asyncio.to_thread(until_gone, root / "images" / "scratch")
        await world.get(Lifecycle).destroy(ref, 0)

    run(root, scenario, config)
