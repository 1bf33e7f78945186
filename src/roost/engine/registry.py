"""contract.Domains over a table and a store: what is the same for every driver."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from typing import Generic

import msgspec

from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.contract import flags as F
from roost.contract.domains import Domains
from roost.contract.events import DomainEvent
from roost.contract.references import DomainIdentity, DomainRef
from roost.engine.affect import affected, choose
from roost.engine.bus import EventBus
from roost.engine.definitions import redefine
from roost.engine.record import Definition, Record, RuntimeT
from roost.engine.store import DefinitionStore, Store
from roost.engine.table import LIST_FLAGS, DomainTable, uuid_bytes
from roost.errors import From, InvalidArg, OperationInvalid, RoostError, XmlError
from roost.model import domain as model
from roost.model.domain import Domain
from roost.model.domain.metadata import get_metadata, set_metadata
from roost.model.domain.validate import check_written

log = logging.getLogger(__name__)


def load_definitions(table: DomainTable[RuntimeT], store: Store) -> None:
    """Fill an empty table with the definitions on disk; of two with one UUID the second is logged and ignored."""
    for loaded in store.load_definitions():
        if table.knows(loaded.ref):
            log.error("ignoring the definition of '%s': its UUID belongs to another domain", loaded.ref.name)
            continue
        record = table.add(loaded.ref.name, loaded.ref.uuid)
        record.definition = Definition(loaded.text)
        record.autostart, record.autostart_once = loaded.autostart, loaded.autostart_once


class RegistryDomains(Domains, Generic[RuntimeT]):
    """Lookup, lists, definitions. A driver subclasses it and gives `prepare` and `launch`.

    prefix: how the driver's functions are called in libvirt's flag refusals
        ("qemu" makes `qemuDomainUndefineFlags`).
    """

    prefix = ""
    #: Flags that the driver's undefine, create and XML calls accept.
    undefine_flags = 0
    create_flags = D.START_PAUSED | D.START_AUTODESTROY | D.START_VALIDATE
    xml_flags = D.XML_SECURE | D.XML_INACTIVE | D.XML_UPDATE_CPU | D.XML_MIGRATABLE
    #: Whether a managed save follows its domain's name.
    renames_saved = False

    def __init__(self, table: DomainTable[RuntimeT], store: DefinitionStore, bus: EventBus) -> None:
        self.table: DomainTable[RuntimeT] = table
        self.store = store
        self.bus = bus

    # -- what a driver adds ----------------------------------------------------------------

    async def prepare(self, document: Domain) -> Domain:
        """Complete and validate a client's document."""
        raise NotImplementedError

    async def launch(self, record: Record[RuntimeT], document: Domain, flags: int) -> None:
        """Start `record` from `document`, inside its job; on failure the record is as before."""
        raise NotImplementedError

    def discard(self, record: Record[RuntimeT], flags: int) -> None:
        """Remove what belongs to the definition and goes with it. Raises to keep both."""

    def save_live(self, record: Record[RuntimeT]) -> None:
        """Put a changed live document on disk, where the driver keeps it."""

    def check_flags(self, flags: int, allowed: int, function: str) -> None:
        F.check(flags, allowed, self.prefix + function, self.table.error_domain)

    # -- finding ---------------------------------------------------------------------------

    def lookup_by_id(self, id: int) -> DomainRef:
        return self.table.by_id(id).ref

    def lookup_by_uuid(self, uuid: bytes) -> DomainRef:
        return self.table.by_uuid(uuid).ref

    def lookup_by_name(self, name: str) -> DomainRef:
        return self.table.by_name(name).ref

    def list_all(self, flags: int) -> Sequence[DomainRef]:
        self.check_flags(flags, LIST_FLAGS, "ConnectListAllDomains")
        return self.table.list(flags)

    def count_active(self) -> int:
        return len(self.table.active)

    def active_ids(self, limit: int) -> Sequence[int]:
        return [record.id for record in self.table.active[:limit]]

    def count_defined(self) -> int:
        return sum(not record.is_active for record in self.table)

    def defined_names(self, limit: int) -> Sequence[str]:
        return [record.name for record in self.table if not record.is_active][:limit]

    # -- defining --------------------------------------------------------------------------

    async def define(self, xml: str, flags: int) -> DomainRef:
        self.check_flags(flags, D.DEFINE_VALIDATE, "DomainDefineXMLFlags")
        document = await self.prepare(model.parse(xml, validate=bool(flags & D.DEFINE_VALIDATE)))
        text = model.format(document, secure=True)
        async with self.store.lock:
            known = self.table.check_new(document)
            detail = E.DEFINED_UPDATED if known is not None and known.is_persistent else E.DEFINED_ADDED
            await self.store.save_definition(document.name, text)
            # A transient domain of that name may have ended during the write.
            record = self.table.check_new(document) or self.table.add(document.name, uuid_bytes(document.uuid or ""))
            record.definition = Definition(text, document)
        self.publish(record, E.DEFINED, detail)
        return record.ref

    async def create_xml(self, xml: str, flags: int) -> DomainRef:
        self.check_flags(flags, self.create_flags, "DomainCreateXML")
        document = await self.prepare(model.parse(xml, validate=bool(flags & D.START_VALIDATE)))
        async with self.store.lock:
            record = self.table.check_new(document, live=True)
            if record is None:
                record = self.table.add(document.name, uuid_bytes(document.uuid or ""))
        try:
            async with record.job("create"):
                if record.is_active:
                    raise OperationInvalid(f"domain '{record.name}' is already active", domain=self.table.error_domain)
                await self.launch(record, document, flags)
                return record.ref
        finally:
            if not record.is_active and not record.is_persistent:
                self.table.remove(record)

    async def undefine(self, domain: DomainIdentity, flags: int) -> None:
        self.check_flags(flags, self.undefine_flags, "DomainUndefineFlags")
        record = self.table.get(domain)
        async with record.job("undefine"), self.store.lock:
            if not record.is_persistent:
                raise OperationInvalid("cannot undefine transient domain", domain=self.table.error_domain)
            self.discard(record, flags)
            await self.store.remove_definition(record.name)
            record.autostart = record.autostart_once = False
            record.definition = None
            if not record.is_active:
                self.table.remove(record)
        self.publish(record, E.UNDEFINED, E.UNDEFINED_REMOVED)

    # -- properties of the definition ------------------------------------------------------

    def describe(self, domain: DomainIdentity, flags: int) -> str:
        self.check_flags(flags, self.xml_flags, "DomainGetXMLDesc")
        record = self.table.get(domain)
        return record.describe(inactive=bool(flags & D.XML_INACTIVE), secure=bool(flags & D.XML_SECURE))

    async def describe_for_host(self, domain: DomainIdentity, flags: int) -> str:
        return self.describe(domain, flags)

    def is_active(self, domain: DomainIdentity) -> bool:
        return self.table.get(domain).is_active

    def is_persistent(self, domain: DomainIdentity) -> bool:
        return self.table.get(domain).is_persistent

    def is_updated(self, domain: DomainIdentity) -> bool:
        self.table.get(domain)
        return False

    def autostart(self, domain: DomainIdentity) -> bool:
        return self.table.get(domain).autostart

    async def set_autostart(self, domain: DomainIdentity, autostart: bool) -> None:
        record = self.table.get(domain)
        async with record.job("set autostart"), self.store.lock:
            self._require_persistent(record)
            if record.autostart != autostart:
                await self.store.set_autostart(record.name, autostart)
                record.autostart = autostart

    def autostart_once(self, domain: DomainIdentity) -> bool:
        return self.table.get(domain).autostart_once

    async def set_autostart_once(self, domain: DomainIdentity, autostart: bool) -> None:
        record = self.table.get(domain)
        async with record.job("set autostart once"), self.store.lock:
            self._require_persistent(record)
            if record.autostart_once != autostart:
                await self.store.set_autostart(record.name, autostart, once=True)
                record.autostart_once = autostart

    def _require_persistent(self, record: Record[RuntimeT]) -> None:
        if not record.is_persistent:
            raise OperationInvalid("cannot set autostart for transient domain", domain=self.table.error_domain)

    async def rename(self, domain: DomainIdentity, new_name: str | None, flags: int) -> None:
        """The new definition is on disk before the old one goes; with it, what else has the old name is moved."""
        self.check_flags(flags, 0, "DomainRename")
        name = _nonempty(new_name)
        record = self.table.get(domain)
        async with record.job("rename"), self.store.lock:
            self._check_may_be_renamed(record)
            self._check_new_name(record, name)
            document = msgspec.structs.replace(record.config, name=name)
            check_written(document)
            text = model.format(document, secure=True)
            async with self.store.renaming(record.name, name):
                try:
                    await self.store.save_definition(name, text)
                    for once, wanted in ((False, record.autostart), (True, record.autostart_once)):
                        if wanted:
                            await self.store.set_autostart(name, True, once=once)
                    self.renamed(record, name)
                except BaseException:
                    with contextlib.suppress(RoostError):
                        await self.store.remove_definition(name)
                    raise
                old = record.ref
                await self.store.remove_definition(old.name)
            self.table.rename(record, name)
            record.definition = Definition(text, document)
        self.bus.publish(DomainEvent(E.ID_LIFECYCLE, old, (E.UNDEFINED, E.UNDEFINED_RENAMED)))
        self.publish(record, E.DEFINED, E.DEFINED_RENAMED)

    def renamed(self, record: Record[RuntimeT], name: str) -> None:
        """Move what the driver keeps under the record's name to the new one."""

    def _check_may_be_renamed(self, record: Record[RuntimeT]) -> None:
        mine = self.table.error_domain
        if record.is_active:
            raise OperationInvalid("cannot rename active domain", domain=mine, hint="shut it down first")
        if not record.is_persistent:
            raise OperationInvalid("cannot rename a transient domain", domain=mine)
        if record.managed_save and not self.renames_saved:
            raise OperationInvalid(
                "domain with a managed saved state can't be renamed",
                domain=mine,
                hint="start it, or drop the image with managedsave-remove",
            )

    def _check_new_name(self, record: Record[RuntimeT], name: str) -> None:
        if name == record.name:
            raise OperationInvalid("Can't rename domain to itself", domain=From.DOMAIN)
        if any(other.name == name for other in self.table):
            raise OperationInvalid(f"domain with name '{name}' already exists", domain=From.DOMAIN)
        if "/" in name:
            raise XmlError(f"name {name} cannot contain '/'", domain=self.table.error_domain)

    def metadata(self, domain: DomainIdentity, kind: int, uri: str | None, flags: int) -> str:
        self.check_flags(flags, D.AFFECT_LIVE | D.AFFECT_CONFIG, "DomainGetMetadata")
        return get_metadata(choose(self.table.get(domain), flags), kind, uri)

    async def set_metadata(
        self, domain: DomainIdentity, kind: int, metadata: str | None, key: str | None, uri: str | None, flags: int
    ) -> None:
        self.check_flags(flags, D.AFFECT_LIVE | D.AFFECT_CONFIG, "DomainSetMetadata")
        record = self.table.get(domain)
        async with record.job("set metadata"), self.store.lock:
            live, config = affected(record, flags)
            if config:
                await redefine(self.store, record, set_metadata(record.config, kind, metadata, key, uri))
            if live and record.live is not None:
                record.live = set_metadata(record.live, kind, metadata, key, uri)
                self.save_live(record)
        self.bus.publish(
            DomainEvent(E.ID_METADATA_CHANGE, record.ref, (kind, uri if kind == D.METADATA_ELEMENT else None))
        )

    def publish(self, record: Record[RuntimeT], event: int, detail: int) -> None:
        """Tell subscribers of a lifecycle event."""
        self.bus.publish(DomainEvent(E.ID_LIFECYCLE, record.ref, (event, detail)))


def _nonempty(name: str | None) -> str:
    """A domain's new name. Raises InvalidArg for none."""
    if not name:
        fault = "must not be NULL" if name is None else "must not be empty"
        subject = "new_name" if name is None else "string new_name"
        raise InvalidArg(f"{subject} in virDomainRename {fault}", domain=From.DOMAIN, verbatim=True)
    return name
