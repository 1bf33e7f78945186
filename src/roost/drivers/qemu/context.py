"""What the driver's parts share."""

from __future__ import annotations

import logging
from typing import NamedTuple

import msgspec

from roost.constants import domain as D
from roost.contract.events import DomainEvent
from roost.contract.lookups import Lookups
from roost.drivers.qemu.capabilities import CapabilitiesCache, CapabilityDocuments
from roost.drivers.qemu.config import QemuConfig
from roost.drivers.qemu.firmware import FirmwareStore
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.paths import QemuPaths
from roost.drivers.qemu.qmp import QmpClient
from roost.engine.bus import EventBus
from roost.engine.hooks import Hooks
from roost.engine.store import STATUS_VERSION, Status, Store
from roost.engine.table import DomainTable, uuid_text
from roost.errors import From, OperationInvalid, SystemCallError
from roost.host.api import Account, Host
from roost.model import domain as model

log = logging.getLogger(__name__)


class Context(NamedTuple):
    """The driver's collaborators. account: whom guests run as; None for the daemon's own user."""

    paths: QemuPaths
    config: QemuConfig
    host: Host
    table: DomainTable[Guest]
    store: Store
    bus: EventBus
    capabilities: CapabilitiesCache
    firmware: FirmwareStore
    account: Account | None
    documents: CapabilityDocuments

    lookups: Lookups = Lookups()

    @property
    def hooks(self) -> Hooks:
        """The administrator's scripts."""
        return Hooks(self.paths.config.parent / "hooks", self.host.processes)

    async def call_hook(self, record: GuestRecord, operation: str) -> None:
        """Tell the scripts of a guest, with its document. Raises HookScriptFailed."""
        if self.hooks.scripts("qemu"):
            document = record.describe(inactive=False, secure=False)
            await self.hooks.run("qemu", record.name, operation, "begin", document=document)

    def publish(self, record: GuestRecord, kind: int, *args: object) -> None:
        """Tell subscribers of a domain's event; args are its fields after the domain."""
        self.bus.publish(DomainEvent(kind, record.ref, args))

    def save(self, record: GuestRecord) -> None:
        """Write a running guest's status."""
        guest = record.runtime
        if guest is None:
            return
        if guest.coming is not None:
            document = model.format(guest.coming.document, secure=True)
        else:
            document = record.describe(inactive=False, secure=True) if record.live is not None else ""
        self.store.save_status(
            Status(
                version=STATUS_VERSION,
                boot_id=self.store.boot_id,
                name=record.name,
                uuid=uuid_text(record.uuid),
                id=record.id,
                state=record.state,
                reason=record.reason,
                document=document,
                driver=msgspec.Raw(msgspec.json.encode(guest.status())),
            )
        )

    def save_changed(self, record: GuestRecord) -> None:
        """The same once the guest has changed: that no more can be refused for it, so a failure is told in the log."""
        try:
            self.save(record)
        except SystemCallError as error:
            text = "a daemon that takes %s up again will not know of its last change: %s"
            log.error(text, record.name, error)  # noqa: TRY400 - no bug of ours


def require_guest(record: GuestRecord) -> Guest:
    """The guest of a running domain. Raises OperationInvalid when it is not."""
    guest = record.runtime
    if guest is None or record.id == -1:
        raise OperationInvalid("domain is not running", domain=From.DOMAIN)
    return guest


def require_monitor(record: GuestRecord) -> QmpClient:
    """The monitor of a running domain; not before QEMU has been greeted."""
    guest = require_guest(record)
    if guest.monitor is None or record.state == D.SHUTOFF:
        raise OperationInvalid("domain is not running", domain=From.DOMAIN)
    return guest.monitor
