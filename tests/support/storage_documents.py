"""How `support.documents` asks about secrets, pools and volumes: rows of (kept, again, script)."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from roost.model import secret, storage
from roost.model.storage.permissions import Permissions
from roost.model.storage.volume import Timestamps

Row = tuple[Callable[[str], str], Callable[[str], str], str]


def _zeros(count: int) -> bytes:
    return bytes(count)


_SECRET = """
def work(conn, name, xml):
    secret = conn.secretDefineXML(xml)
    try:
        return secret.XMLDesc()
    finally:
        secret.undefine()
"""

# Not every build of libvirt has every type of pool: it is not asked about those.
_POOL = """
def work(conn, name, xml):
    try:
        pool = conn.storagePoolDefineXML(xml)
    except libvirt.libvirtError as e:
        if "missing backend for pool type" in e.get_error_message():
            return None
        raise
    try:
        return pool.XMLDesc(libvirt.VIR_STORAGE_XML_INACTIVE)
    finally:
        pool.undefine()
"""

# A directory below the one that is libvirtd's own. What differs from day to day is made the same.
_VOLUME = """
import re
directory = "/var/lib/libvirt/roost-volumes"
pool = conn.storagePoolCreateXML(
    f"<pool type='dir'><name>roost-volumes</name><target><path>{directory}</path></target></pool>",
    libvirt.VIR_STORAGE_POOL_CREATE_WITH_BUILD,
)
base = pool.createXML(
    "<volume><name>base</name><capacity unit='MiB'>8</capacity><target><format type='qcow2'/></target></volume>"
)
vault = conn.secretDefineXML("<secret ephemeral='yes'><usage type='volume'><volume>vault</volume></usage></secret>")
vault.setValue(b"open sesame")

@atexit.register
def clean_up():
    base.delete()
    vault.undefine()
    pool.destroy()

def work(conn, name, xml):
    volume = pool.createXML(xml)
    try:
        text = volume.XMLDesc()
    finally:
        volume.delete()
    text = re.sub(r"<([amc])time>.*<", r"<\\1time>1700000000.000000001<", text)
    if "<physical" in text:
        text = re.sub(r"(<(allocation|physical) unit='bytes'>)[0-9]+", r"\\g<1>4096", text)
    return text
"""


def _kept_volume(text: str) -> str:
    """What is shown of a new volume: the document, and what the driver finds out."""
    volume = storage.complete_volume(storage.parse_volume(text), _VOLUMES, capacity_optional=True)
    storage.check_new_file(volume)
    path = f"/var/lib/libvirt/roost-volumes/{volume.name}"
    is_file = volume.target.format != "dir"
    allowed = volume.target.permissions or Permissions()
    permissions = replace(
        allowed,
        mode=0o600 if allowed.mode is None else allowed.mode,
        owner=allowed.owner or 0,
        group=allowed.group or 0,
        label=None,
    )
    backing = volume.backing_store and replace(
        volume.backing_store, permissions=Permissions(mode=0o600, owner=0, group=0), timestamps=_TIMES
    )
    volume = replace(
        volume,
        type="file" if is_file else "dir",
        key=path,
        capacity=volume.capacity if volume.capacity or not is_file else 8 << 20,
        allocation=4096 if is_file else volume.allocation,
        physical=4096 if is_file else None,
        target=replace(volume.target, path=path, permissions=permissions, timestamps=_TIMES),
        backing_store=backing,
    )
    return storage.format_volume(volume)


def _again_volume(text: str) -> str:
    volume = storage.parse_volume(text, live=True)
    return storage.format_volume(storage.complete_volume(volume, _VOLUMES))


_TIMES = Timestamps(atime="1700000000.000000001", mtime="1700000000.000000001", ctime="1700000000.000000001", btime="0")
_VOLUMES = storage.parse_pool("<pool type='dir'/>")

ROWS: dict[str, Row] = {
    "secret": (
        lambda text: secret.format(secret.complete(secret.parse(text), entropy=_zeros)),
        lambda text: secret.format(secret.complete(secret.parse(text))),
        _SECRET,
    ),
    "storagepool": (
        lambda text: storage.format_pool(storage.complete_pool(storage.parse_pool(text), entropy=_zeros)),
        lambda text: storage.format_pool(storage.complete_pool(storage.parse_pool(text))),
        _POOL,
    ),
    "storagevol": (_kept_volume, _again_volume, _VOLUME),
}
