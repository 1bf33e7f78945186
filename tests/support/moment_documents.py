"""How `support.documents` asks about snapshots, checkpoints and backups: rows of (kept, again, script).

Snapshots and checkpoints are made known again (redefined) or made; the kinds whose name goes on after a dash are those
of a domain that is shut off or paused, of all of it or of disks only.
"""

from __future__ import annotations

import functools

from msgspec.structs import replace

from roost.model import backup, checkpoint, snapshot
from roost.model.domain import Domain, parse
from roost.model.domain.complete import complete
from roost.model.domain.devices.disksource import BackingStore
from roost.model.domain.tuning import Resource
from support.machines import facts
from support.storage_documents import Row

DIRECTORY = "/var/lib/libvirt/roost-moments"
#: Seconds since 1970, for all that happens.
NOW = 1700000000
UUID = "00000000-0000-4000-8000-000000000000"
DOMAIN = f"""<domain type='qemu'><name>roost-moments</name><uuid>{UUID}</uuid><memory unit='MiB'>16</memory>
<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>
<cpu mode='custom' match='exact' check='none'><model fallback='forbid'>qemu64</model></cpu>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='file'><driver name='qemu' type='qcow2'/><source file='{DIRECTORY}/a.qcow2'/><target dev='vda'/></disk>
<disk type='file'><driver name='qemu' type='qcow2'/><source file='{DIRECTORY}/b.qcow2'/><target dev='vdb'/></disk>
<disk type='file' device='cdrom'><target dev='hdc'/></disk>
<controller type='usb' model='none'/><memballoon model='none'/></devices></domain>"""

# Images in a directory below the one that is libvirtd's own, and a domain that begins anew for each document.
_WORLD = f"""
import atexit, re
pool = conn.storagePoolCreateXML(
    "<pool type='dir'><name>roost-moments</name><target><path>{DIRECTORY}</path></target></pool>",
    libvirt.VIR_STORAGE_POOL_CREATE_WITH_BUILD,
)
image = (
    "<volume><name>%s</name><capacity unit='MiB'>%d</capacity>"
    "<target><format type='qcow2'/><compat>1.1</compat></target></volume>"
)

def clean_up():
    try:
        domain = conn.lookupByName("roost-moments")
    except libvirt.libvirtError:
        pass
    else:
        if domain.isActive():
            domain.destroy()
        domain.undefineFlags(
            libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
        )
    pool.refresh()
    for volume in pool.listAllVolumes():
        volume.delete()

@atexit.register
def end():
    clean_up()
    pool.destroy()

def begin(live, mib=1, flags=0):
    clean_up()
    for name in ("a.qcow2", "b.qcow2"):
        pool.createXML(image % (name, mib), flags)
    domain = conn.defineXML('''{DOMAIN}''')
    if live:
        domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    return domain

# What is shown with one time for all times, and without what QEMU says of its processor.
def settled(text):
    time = re.search("<creationTime>([0-9]+)<", text)
    if time and int(time[1]) > {NOW}:
        text = text.replace(time[1], "{NOW}")
    return re.sub("  <cookie>.*?</cookie>\\n", "", text, flags=re.DOTALL)
"""


def _snapshot_script(flag: str, *, live: bool) -> str:
    return f"""{_WORLD}
def work(conn, name, xml):
    domain = begin({live})
    text = domain.snapshotCreateXML(xml, {flag}).getXMLDesc(libvirt.VIR_DOMAIN_SNAPSHOT_XML_SECURE)
    return settled(text) if {live} or "REDEFINE" not in "{flag}" else text
"""


def _checkpoint_script(flag: str, *, live: bool) -> str:
    return f"""{_WORLD}
def work(conn, name, xml):
    text = begin({live}).checkpointCreateXML(xml, {flag}).getXMLDesc()
    return settled(text) if {live} else text
"""


_BACKUP = (
    _WORLD
    + """
import time
# Large enough that a backup still runs when it is looked at.
domain = begin(True, 256, libvirt.VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA)
domain.checkpointCreateXML("<domaincheckpoint><name>before</name></domaincheckpoint>")

def stop():
    try:
        domain.abortJob()
    except libvirt.libvirtError:
        pass  # it is over
    while domain.jobInfo()[0] != libvirt.VIR_DOMAIN_JOB_NONE:
        time.sleep(0.01)
    pool.refresh()
    for volume in pool.listAllVolumes():
        if volume.name() not in ("a.qcow2", "b.qcow2"):
            volume.delete()

def work(conn, name, xml, attempts=5):
    begun = False
    try:
        domain.backupBegin(xml, None)
        begun = True
        text = domain.backupGetXMLDesc()
    except libvirt.libvirtError:
        if not begun:
            raise
        # It was over before it could be looked at: on a machine quick enough, every time.
        stop()
        return work(conn, name, xml, attempts - 1) if attempts else None
    finally:
        stop()
    text = re.sub(r" index='[0-9]+'", "", text)
    return re.sub(r"qcow2\\.[0-9]{10}'", "qcow2.1700000000'", text)
"""
)


def _zeros(count: int) -> bytes:
    return bytes(count)


def _completed(domain: Domain) -> Domain:
    return complete(domain, facts(), validate=False, entropy=_zeros)


@functools.cache
def domain_now(*, live: bool = False) -> Domain:
    """The domain as moments take it: libvirt writes it for others to read, without the controllers they know of."""
    domain = _completed(parse(DOMAIN))
    usb, pci, ide = domain.devices.controllers
    disks = domain.devices.disks
    if live:
        disks = tuple(disk if disk.readonly else replace(disk, backing_store=BackingStore()) for disk in disks)
    return replace(
        domain,
        resource=Resource(partition="/machine") if live else None,
        devices=replace(domain.devices, controllers=(usb, ide, pci), disks=disks),
    )


def _is_file(path: str) -> bool:
    return path in (f"{DIRECTORY}/a.qcow2", f"{DIRECTORY}/b.qcow2")


def snapshot_redefined(text: str) -> str:
    """What is kept of a snapshot that is made known again, with no other beside it."""
    made = snapshot.complete_redefined(snapshot.parse(text), UUID, {}, complete_domain=_completed, is_file=_is_file)
    return snapshot.format(made)


def snapshot_taken(text: str, *, live: bool, disk_only: bool) -> str:
    """What is kept of a new snapshot, but for what QEMU says of its processor."""
    made = snapshot.complete(
        snapshot.parse(text),
        domain_now(live=live),
        now=NOW,
        state="paused" if live else "shutoff",
        disk_only=disk_only,
        inactive=_completed(parse(DOMAIN)) if live else None,
        is_file=_is_file,
    )
    return snapshot.format(made)


def checkpoint_redefined(text: str) -> str:
    """What is kept of a checkpoint that is made known again, with no other beside it."""
    made = checkpoint.complete_redefined(checkpoint.parse(text), UUID, {}, complete_domain=_completed)
    return checkpoint.format(made)


def checkpoint_made(text: str) -> str:
    """What is kept of a new checkpoint."""
    return checkpoint.format(checkpoint.complete(checkpoint.parse(text), domain_now(live=True), now=NOW))


def backup_begun(text: str) -> str:
    """What is kept of a backup that runs, but for the numbers of its images."""
    made = backup.complete(backup.parse(text), domain_now(), str(NOW))
    return backup.format(backup.with_exports(made) if made.mode == "pull" else made)


def _again_snapshot(text: str) -> str:
    return snapshot.format(snapshot.parse(text))


def _again_checkpoint(text: str) -> str:
    return checkpoint.format(checkpoint.parse(text))


def _again_backup(text: str) -> str:
    return backup.format(backup.parse(text))


ROWS: dict[str, Row] = {
    "domainsnapshot": (
        snapshot_redefined,
        _again_snapshot,
        _snapshot_script("libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE", live=False),
    ),
    "domaincheckpoint": (
        checkpoint_redefined,
        _again_checkpoint,
        _checkpoint_script("libvirt.VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE", live=False),
    ),
    "domaincheckpoint-paused": (checkpoint_made, _again_checkpoint, _checkpoint_script("0", live=True)),
    "domainbackup": (backup_begun, _again_backup, _BACKUP),
}
for _name, _live, _disk_only in (
    ("shutoff", False, False),
    ("disks", False, True),
    ("paused", True, False),
    ("livedisks", True, True),
):
    ROWS[f"domainsnapshot-{_name}"] = (
        functools.partial(snapshot_taken, live=_live, disk_only=_disk_only),
        _again_snapshot,
        _snapshot_script("libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY" if _disk_only else "0", live=_live),
    )
