"""The QEMU driver's collaborators without a host: what its parts are given where no QEMU runs."""

from __future__ import annotations

from pathlib import Path

from roost.drivers.qemu.capabilities import CapabilitiesCache, CapabilityDocuments
from roost.drivers.qemu.config import QemuConfig
from roost.drivers.qemu.context import Context
from roost.drivers.qemu.firmware import FirmwareStore
from roost.drivers.qemu.guest import Guest
from roost.drivers.qemu.paths import QemuPaths
from roost.engine.bus import EventBus
from roost.engine.store import Store
from roost.engine.table import DomainTable
from roost.errors import From
from roost.host.fake import FakeHost


def fake_context(root: Path) -> Context:
    """With an empty table, and its files below `root`."""
    paths = QemuPaths.under(root / "etc", root / "run", root / "lib", root / "log", root / "cache")
    host = FakeHost()
    table: DomainTable[Guest] = DomainTable(From.QEMU)
    store = Store(paths.config, paths.status, host.node.boot_id())
    cache = CapabilitiesCache(paths.cache, host.processes)
    firmware = FirmwareStore(())
    documents = CapabilityDocuments(cache, host, None, firmware)
    return Context(paths, QemuConfig(), host, table, store, EventBus(), cache, firmware, None, documents)


__all__ = ["fake_context"]
