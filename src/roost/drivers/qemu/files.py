"""Open files that clients hand over for guests' disks."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from roost.constants import domain as D
from roost.contract import flags as F
from roost.contract.files import Files
from roost.contract.references import DomainIdentity
from roost.drivers.qemu.context import Context
from roost.errors import From


class QemuFiles(Files):
    """contract.Files; and where a start finds them. Whether a guest may write is the mode that a file was opened in."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._groups: dict[bytes, dict[str, tuple[int, ...]]] = {}

    def associate(self, domain: DomainIdentity, name: str, flags: int, files: Sequence[int]) -> Callable[[], None]:
        allowed = D.FD_ASSOCIATE_SECLABEL_RESTORE | D.FD_ASSOCIATE_SECLABEL_WRITABLE
        F.check(flags, allowed, "qemuDomainFDAssociate", From.QEMU)
        uuid = self._context.table.get(domain).uuid
        group = tuple(os.dup(file) for file in files)
        if group:
            self._forget(uuid, name, self._groups.get(uuid, {}).get(name))
            self._groups.setdefault(uuid, {})[name] = group
        return lambda: self._forget(uuid, name, group)

    def _forget(self, uuid: bytes, name: str, group: tuple[int, ...] | None) -> None:
        """Unless another has taken its place, and has closed it then."""
        groups = self._groups.get(uuid, {})
        if group is None or groups.get(name) is not group:
            return
        for descriptor in group:
            os.close(descriptor)
        del groups[name]
        if not groups:
            del self._groups[uuid]

    def of(self, uuid: bytes) -> dict[str, tuple[int, ...]]:
        """Copies of a domain's descriptors by the name of their group; the caller's to close."""
        groups = self._groups.get(uuid, {})
        return {name: tuple(os.dup(descriptor) for descriptor in group) for name, group in groups.items()}
