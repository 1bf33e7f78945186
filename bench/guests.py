"""The domains that are measured, as documents, and what they need on the host."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from support.guests import READY, domain_xml, guest_images

#: MiB of guests whose memory does not matter, and of the one that is saved.
MEMORY, SAVED_MEMORY = 64, 256
BOOT_SECONDS = 120.0


def definition(name: str, uuid_: str) -> str:
    """A domain of usual size that is never started."""
    disks = tuple(Path(f"/var/lib/roost-bench/{name}-{disk}.img") for disk in range(3))
    interface = "<interface type='user'><model type='virtio'/></interface>"
    return domain_xml(name, uuid_=uuid_, disks=disks, interfaces=interface * 2)


def busy(name: str) -> str:
    """A domain that has something to count: a disk, which all of them may read, and an interface of the host's."""
    interface = "<interface type='ethernet'><model type='virtio'/></interface>"
    disk = (
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{guest_images().kernel}'/>"
        "<target dev='vda' bus='virtio'/><readonly/></disk>"
    )
    return domain_xml(name, memory_mib=MEMORY, interfaces=interface, devices=disk, graphics="")


class Workshop:
    """A guest of one daemon, in a directory that its QEMU may enter; `close` removes it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.directory = Path(tempfile.mkdtemp(prefix="roost-bench-", dir="/tmp"))
        self.directory.chmod(0o777)
        (self.directory / "extra.img").write_bytes(bytes(1 << 20))
        disk = ["qemu-img", "create", "-q", "-f", "qcow2", str(self.directory / "disk.qcow2"), "64M"]
        subprocess.run(disk, check=True)
        for path in self.directory.iterdir():
            path.chmod(0o666)

    def argument(self, row: str) -> str:
        """What the operation of a row is told beside the guest's name.

        The disk comes and goes without the guest's having a say, whose time is not measured.
        """
        return {
            "attach-detach": "<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
            f"<source file='{self.directory}/extra.img'/><target dev='sdb' bus='scsi'/></disk>",
            "save-restore": str(self.directory / "saved"),
            "snapshot": "<domainsnapshot><name>bench</name></domainsnapshot>",
        }.get(row, "")

    def document(self) -> str:
        """A disk that holds snapshots, a controller with room for another, a console that is a file."""
        devices = (
            "<controller type='scsi' model='virtio-scsi'/><disk type='file' device='disk'>"
            f"<driver name='qemu' type='qcow2'/><source file='{self.directory}/disk.qcow2'/>"
            "<target dev='vda' bus='virtio'/></disk>"
        )
        serial = f"<serial type='file'><source path='{self.directory}/console'/></serial>"
        return domain_xml(
            self.name, memory_mib=SAVED_MEMORY, interfaces="", devices=devices, serial=serial, graphics=""
        )

    def wait_until_booted(self) -> None:
        """Until the guest has nothing more to do."""
        console = self.directory / "console"
        deadline = time.monotonic() + BOOT_SECONDS
        while not console.exists() or READY not in console.read_text(errors="replace"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} does not boot")
            time.sleep(0.1)

    def close(self) -> None:
        """Remove the directory."""
        shutil.rmtree(self.directory, ignore_errors=True)
