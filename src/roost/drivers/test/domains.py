"""Domains that only say they run."""

from __future__ import annotations

import time
from collections.abc import Sequence

from msgspec.structs import replace

from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.contract import flags as F
from roost.contract.domains import Lifecycle
from roost.contract.events import DomainEvent
from roost.contract.files import Files
from roost.contract.references import DomainIdentity, DomainRef
from roost.drivers.test.changes import change
from roost.drivers.test.documents import complete
from roost.drivers.test.world import World
from roost.engine.edits.actions import check as check_action
from roost.engine.edits.actions import with_action
from roost.engine.inspection import RecordInspection
from roost.engine.record import Record
from roost.engine.registry import RegistryDomains
from roost.engine.table import DomainTable
from roost.errors import From, InternalError, OperationInvalid
from roost.model.domain import Domain

REBOOT_FLAGS = (
    D.REBOOT_ACPI_POWER_BTN | D.REBOOT_GUEST_AGENT | D.REBOOT_INITCTL | D.REBOOT_SIGNAL | D.REBOOT_PARAVIRT
)  # fmt: skip


def start(table: DomainTable[None], record: Record[None], document: Domain) -> None:
    """Mark a domain as running from `document`."""
    record.live = replace(document, id=table.activate(record))
    record.managed_save = False
    record.set_state(D.RUNNING, D.RUNNING_BOOTED)


def stop(world: World, record: Record[None], reason: int, detail: int, *, keep: bool = False) -> None:
    """Mark a domain as stopped, and say so. keep: also a transient one, for it starts again."""
    world.table.deactivate(record, keep=keep)
    record.set_state(D.SHUTOFF, reason)
    world.bus.publish(DomainEvent(E.ID_LIFECYCLE, record.ref, (E.STOPPED, detail)))


class TestDomains(RegistryDomains[None]):
    """contract.Domains in memory."""

    __test__ = False
    prefix = "test"
    create_flags = D.START_VALIDATE
    undefine_flags = D.UNDEFINE_MANAGED_SAVE | D.UNDEFINE_SNAPSHOTS_METADATA
    xml_flags = D.XML_SECURE | D.XML_INACTIVE | D.XML_UPDATE_CPU | D.XML_MIGRATABLE
    renames_saved = True

    def __init__(self, world: World) -> None:
        super().__init__(world.table, world.store, world.bus)
        self._snapshots = world.snapshots
        self._checkpoints = world.checkpoints

    async def prepare(self, document: Domain) -> Domain:
        return complete(document)

    async def launch(self, record: Record[None], document: Domain, flags: int) -> None:
        start(self.table, record, document)
        self.publish(record, E.STARTED, E.STARTED_BOOTED)

    def renamed(self, record: Record[None], name: str) -> None:
        for moments in (self._snapshots, self._checkpoints):
            moments.rename(record.name, name)

    def discard(self, record: Record[None], flags: int) -> None:
        if record.managed_save and not flags & D.UNDEFINE_MANAGED_SAVE:
            raise OperationInvalid(
                "Refusing to undefine while domain managed save image exists",
                domain=From.TEST,
                hint="add --managed-save, or start the domain",
            )
        snapshots = 0 if record.is_active else len(self._snapshots.of(record.name))
        if snapshots and not flags & D.UNDEFINE_SNAPSHOTS_METADATA:
            raise OperationInvalid(
                f"cannot delete inactive domain with {snapshots} snapshots",
                domain=From.TEST,
                hint="--snapshots-metadata forgets them",
            )
        record.managed_save = False


class TestLifecycle(Lifecycle):
    """contract.Lifecycle: a change of state and its event."""

    __test__ = False

    def __init__(self, world: World) -> None:
        self._world = world
        self.table = world.table
        self.bus = world.bus

    async def create(self, domain: DomainIdentity, flags: int) -> DomainRef:
        F.check(flags, 0, "testDomainCreateWithFlags", From.TEST)
        record = self.table.get(domain)
        async with record.job("start"):
            if record.is_active:
                raise InternalError(f"Domain '{record.name}' is already running", domain=From.TEST)
            start(self.table, record, record.config)
            self._publish(record, E.STARTED, E.STARTED_BOOTED)
            return record.ref

    async def shutdown(self, domain: DomainIdentity, flags: int) -> None:
        F.check(flags, 0, "testDomainShutdownFlags", From.TEST)
        record = self.table.get(domain)
        async with record.job("shutdown"):
            if not record.is_active:
                raise InternalError(f"domain '{record.name}' not running", domain=From.TEST)
            self._act(record, record.document.on_poweroff)

    async def reboot(self, domain: DomainIdentity, flags: int) -> None:
        F.check(flags, REBOOT_FLAGS, "testDomainReboot", From.TEST)
        record = self.table.get_active(domain)
        async with record.job("reboot"):
            self._act(record, record.document.on_reboot)

    async def reset(self, domain: DomainIdentity, flags: int) -> None:
        F.check(flags, 0, "testDomainReset", From.TEST)
        self.table.get_active(domain)

    async def suspend(self, domain: DomainIdentity) -> None:
        record = self.table.get(domain)
        async with record.job("suspend"):
            if record.state in (D.SHUTOFF, D.PAUSED):
                raise InternalError(f"domain '{record.name}' not running", domain=From.TEST)
            record.set_state(D.PAUSED, D.PAUSED_USER)
            self._publish(record, E.SUSPENDED, E.SUSPENDED_PAUSED)

    async def resume(self, domain: DomainIdentity) -> None:
        record = self.table.get(domain)
        async with record.job("resume"):
            if record.state != D.PAUSED:
                raise InternalError(f"domain '{record.name}' not paused", domain=From.TEST)
            record.set_state(D.RUNNING, D.RUNNING_UNPAUSED)
            self._publish(record, E.RESUMED, E.RESUMED_UNPAUSED)

    async def destroy(self, domain: DomainIdentity, flags: int) -> None:
        F.check(flags, D.DESTROY_GRACEFUL, "testDomainDestroyFlags", From.TEST)
        record = self.table.get_active(domain)
        async with record.job("destroy"):
            stop(self._world, record, D.SHUTOFF_DESTROYED, E.STOPPED_DESTROYED)

    async def set_action(self, domain: DomainIdentity, kind: int, action: int, flags: int) -> None:
        F.check(flags, D.AFFECT_LIVE | D.AFFECT_CONFIG, "testDomainSetLifecycleAction", From.TEST)
        check_action(kind, action)
        await change(self._world, domain, flags, lambda document: with_action(document, kind, action))

    def _act(self, record: Record[None], action: str | None) -> None:
        """What the document says is to happen when the guest ends by itself."""
        if action in ("restart", "rename-restart", "coredump-restart"):
            record.set_state(D.RUNNING, D.RUNNING_BOOTED)
        else:
            stop(self._world, record, D.SHUTOFF_SHUTDOWN, E.STOPPED_SHUTDOWN)

    def _publish(self, record: Record[None], event: int, detail: int) -> None:
        self.bus.publish(DomainEvent(E.ID_LIFECYCLE, record.ref, (event, detail)))


class TestFiles(Files):
    """contract.Files: no domain has a process that could get them."""

    __test__ = False

    def __init__(self, domains: TestDomains, lifecycle: TestLifecycle) -> None:
        self._domains = domains
        self._lifecycle = lifecycle

    async def create(self, domain: DomainIdentity, flags: int, files: Sequence[int]) -> DomainRef:
        return await self._lifecycle.create(domain, flags)

    async def create_xml(self, xml: str, flags: int, files: Sequence[int]) -> DomainRef:
        return await self._domains.create_xml(xml, flags)


class TestInspection(RecordInspection[None]):
    """contract.Inspection; the processor time is the clock's."""

    __test__ = False
    prefix = "test"

    def cpu_time(self, record: Record[None]) -> int:
        return time.time_ns() // 1000 * 1000

    def os_type(self, domain: DomainIdentity) -> str:
        self.table.get(domain)
        return "linux"

    def security_label(self, domain: DomainIdentity) -> tuple[str, bool]:
        return ("libvirt-test", True) if self.table.get(domain).is_active else ("", False)
