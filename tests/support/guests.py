"""The test guest (`tests/guests`): its images and a domain document that boots it."""

from __future__ import annotations

import functools
import shutil
import uuid
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

import pytest

from guests.build import BuildError, build

READY = "roost-guest: ready"


class GuestImages(NamedTuple):
    """What boots the guest; every path is readable by any user."""

    kernel: Path
    initrd: Path
    dir: Path


@functools.cache
def _built() -> GuestImages | str:
    if shutil.which("qemu-system-x86_64") is None:
        return "qemu-system-x86_64 is not installed"
    try:
        made = build(progress=False)
    except (BuildError, OSError) as error:
        return f"the test guest cannot be made: {error}"
    return GuestImages(made / "kernel", made / "initrd", made)


def guest_images() -> GuestImages:
    """The guest's images, made once and kept; skips the test with the reason where that is impossible."""
    result = _built()
    if isinstance(result, str):
        pytest.skip(result)
    return result


def domain_xml(
    name: str,
    *,
    uuid_: str | None = None,
    memory_mib: int = 128,
    vcpus: int = 1,
    disks: tuple[Path, ...] = (),
    cmdline: str = "",
    serial: str = "<serial type='pty'/>",
    interfaces: str = "<interface type='user'><model type='virtio'/></interface>",
    graphics: str = "<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1'/>",
    devices: str = "",
    extra: str = "",
    images: GuestImages | None = None,
) -> str:
    """A domain document for a typical test guest, run by TCG.

    `disks` become raw virtio disks vda, vdb, …; `cmdline` is added to the kernel's own; `devices` is put before
    `</devices>` and `extra` before `</domain>`, both as they are.
    """
    images = images or guest_images()
    disk_xml = "".join(
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file={quoteattr(str(path))}/>"
        f"<target dev='vd{chr(ord('a') + index)}' bus='virtio'/></disk>"
        for index, path in enumerate(disks)
    )
    return f"""\
<domain type='qemu'>
  <name>{name}</name>
  <uuid>{uuid_ or uuid.uuid4()}</uuid>
  <memory unit='MiB'>{memory_mib}</memory>
  <vcpu>{vcpus}</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>{images.kernel}</kernel>
    <initrd>{images.initrd}</initrd>
    <cmdline>console=ttyS0 quiet {cmdline}</cmdline>
  </os>
  <features><acpi/></features>
  <devices>
    {disk_xml}
    {interfaces}
    {serial}
    {graphics}
    {devices}
  </devices>
  {extra}
</domain>
"""
