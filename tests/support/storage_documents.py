"""How `support.documents` asks about secrets, pools and volumes: rows of (kept, again, script)."""

from __future__ import annotations

from collections.abc import Callable

from roost.model import secret, storage

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
}
