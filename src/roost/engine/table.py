"""The table of domains, with libvirt's rules for names, UUIDs and ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic

from roost.constants import domain as D
from roost.contract.references import DomainIdentity, DomainRef
from roost.engine.record import Record, RuntimeT
from roost.errors import From, NoDomain, OperationFailed, OperationInvalid
from roost.model.domain import Domain


def uuid_text(uuid: bytes) -> str:
    """The 36-character form of 16 bytes."""
    h = uuid.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def uuid_bytes(text: str) -> bytes:
    """The 16 bytes of a UUID's text, with or without dashes."""
    return bytes.fromhex(text.replace("-", ""))


class DomainTable(Generic[RuntimeT]):
    """All domains of one driver.

    error_domain: one of errors.From, the driver's.
    """

    def __init__(self, error_domain: int) -> None:
        self.error_domain = error_domain
        self._by_uuid: dict[bytes, Record[RuntimeT]] = {}
        self._by_name: dict[str, Record[RuntimeT]] = {}
        self._by_id: dict[int, Record[RuntimeT]] = {}
        self._last_id = 0
        self._filters = dict(FILTERS)
        #: Told of a record that is forgotten.
        self.removed: list[Callable[[Record[RuntimeT]], None]] = []

    def __iter__(self) -> Iterator[Record[RuntimeT]]:
        return iter(tuple(self._by_uuid.values()))

    def __len__(self) -> int:
        return len(self._by_uuid)

    @property
    def active(self) -> tuple[Record[RuntimeT], ...]:
        """The running domains, in the order they were started."""
        return tuple(self._by_id.values())

    # -- finding ---------------------------------------------------------------------------

    def get(self, domain: DomainIdentity) -> Record[RuntimeT]:
        """The record a client means. Found by UUID alone; the name is only for the message."""
        record = self._by_uuid.get(domain.uuid)
        if record is None:
            raise NoDomain(
                f"no domain with matching uuid '{uuid_text(domain.uuid)}' ({domain.name})", domain=self.error_domain
            )
        return record

    def knows(self, domain: DomainIdentity) -> bool:
        return domain.uuid in self._by_uuid

    def get_active(self, domain: DomainIdentity) -> Record[RuntimeT]:
        """The same, for calls that need it running."""
        record = self.get(domain)
        if record.id == -1:
            raise OperationInvalid("domain is not running", domain=From.DOMAIN)
        return record

    def find(self, uuid: bytes) -> Record[RuntimeT] | None:
        return self._by_uuid.get(uuid)

    def by_uuid(self, uuid: bytes) -> Record[RuntimeT]:
        record = self.find(uuid)
        if record is None:
            raise NoDomain(f"no domain with matching uuid '{uuid_text(uuid)}'", domain=self.error_domain)
        return record

    def by_name(self, name: str) -> Record[RuntimeT]:
        record = self._by_name.get(name)
        if record is None:
            raise NoDomain(f"no domain with matching name '{name}'", domain=self.error_domain)
        return record

    def by_id(self, id: int) -> Record[RuntimeT]:
        record = self._by_id.get(id)
        if record is None:
            raise NoDomain(f"no domain with matching id {id}", domain=self.error_domain)
        return record

    def list(self, flags: int) -> list[DomainRef]:
        """The domains that pass every filter group named in `flags`."""
        tests = [test for mask, test in self._filters.items() if flags & mask and flags & mask != mask]
        if not tests:
            return [record.ref for record in self._by_uuid.values()]
        return [record.ref for record in self._by_uuid.values() if all(test(record, flags) for test in tests)]

    def filter_by(self, yes: int, no: int, test: Callable[[Record[Any]], bool]) -> None:
        """Filter by what a part of the driver knows of records. yes, no: the flags for those that pass and do not."""
        self._filters[yes | no] = _choose(yes, no, test)

    # -- changing --------------------------------------------------------------------------

    def check_new(self, document: Domain, *, live: bool = False) -> Record[RuntimeT] | None:
        """The record this document would replace, None if it is new.

        live: refuse a domain that is already running, as starting one from a
        document does. Raises OperationFailed when name and UUID belong to
        different domains, OperationInvalid when it is active.
        """
        uuid = uuid_bytes(document.uuid or "")
        record = self._by_uuid.get(uuid)
        if record is None:
            other = self._by_name.get(document.name)
            if other is not None:
                raise OperationFailed(
                    f"domain '{document.name}' already exists with uuid {uuid_text(other.uuid)}",
                    domain=From.DOMAIN,
                    hint="leave out <uuid> of another domain, or choose another <name>",
                )
            return None
        if record.name != document.name:
            raise OperationFailed(
                f"domain '{record.name}' is already defined with uuid {uuid_text(uuid)}",
                domain=From.DOMAIN,
                hint=f"give '{document.name}' a <uuid> of its own, or leave it out",
            )
        if live and record.is_active:
            raise OperationInvalid(f"domain '{record.name}' is already active", domain=From.DOMAIN)
        if live and not record.is_persistent:
            raise OperationInvalid(f"domain '{record.name}' is already being started", domain=From.DOMAIN)
        return record

    def add(self, name: str, uuid: bytes) -> Record[RuntimeT]:
        """A new record; the caller has checked that name and UUID are free."""
        record: Record[RuntimeT] = Record(name, uuid)
        self._by_uuid[uuid] = record
        self._by_name[name] = record
        return record

    def remove(self, record: Record[RuntimeT]) -> None:
        """Forget a record; one that has taken its place since is left alone."""
        if self._by_uuid.get(record.uuid) is record:
            del self._by_uuid[record.uuid]
            del self._by_name[record.name]
            for listener in self.removed:
                listener(record)
        self._by_id.pop(record.id, None)

    def rename(self, record: Record[RuntimeT], name: str) -> None:
        """Give a record another name, which the caller has checked to be free."""
        del self._by_name[record.name]
        record.name = name
        self._by_name[name] = record

    def activate(self, record: Record[RuntimeT], id: int | None = None) -> int:
        """Give a record its id: the next one, or `id` for one found running."""
        record.id = self._last_id + 1 if id is None else id
        self._last_id = max(self._last_id, record.id)
        self._by_id[record.id] = record
        return record.id

    def deactivate(self, record: Record[RuntimeT], *, keep: bool = False) -> None:
        """The domain has stopped: its id is gone, and so is a transient record. keep: not so, for it starts again."""
        self._by_id.pop(record.id, None)
        record.id = -1
        record.live = None
        record.runtime = None
        if record.definition is None and not keep:
            self.remove(record)


def _choose(yes: int, no: int, test: Callable[[Record[Any]], bool]) -> Callable[[Record[Any], int], bool]:
    return lambda record, flags: bool(flags & (yes if test(record) else no))


_STATE_FLAGS = {
    D.RUNNING: D.LIST_DOMAINS_RUNNING,
    D.PAUSED: D.LIST_DOMAINS_PAUSED,
    D.SHUTOFF: D.LIST_DOMAINS_SHUTOFF,
}

_STATES = D.LIST_DOMAINS_RUNNING | D.LIST_DOMAINS_PAUSED | D.LIST_DOMAINS_SHUTOFF | D.LIST_DOMAINS_OTHER

#: (group of flags, whether a record passes it). A group with no flag or all flags set filters nothing.
FILTERS: tuple[tuple[int, Callable[[Record[Any], int], bool]], ...] = (
    *(
        (yes | no, _choose(yes, no, test))
        for yes, no, test in (
            (D.LIST_DOMAINS_ACTIVE, D.LIST_DOMAINS_INACTIVE, lambda r: r.is_active),
            (D.LIST_DOMAINS_PERSISTENT, D.LIST_DOMAINS_TRANSIENT, lambda r: r.is_persistent),
            (D.LIST_DOMAINS_AUTOSTART, D.LIST_DOMAINS_NO_AUTOSTART, lambda r: r.autostart),
            (D.LIST_DOMAINS_MANAGEDSAVE, D.LIST_DOMAINS_NO_MANAGEDSAVE, lambda r: r.managed_save),
            # Drivers that have these say so by `filter_by`.
            (D.LIST_DOMAINS_HAS_SNAPSHOT, D.LIST_DOMAINS_NO_SNAPSHOT, lambda r: False),
            (D.LIST_DOMAINS_HAS_CHECKPOINT, D.LIST_DOMAINS_NO_CHECKPOINT, lambda r: False),
        )
    ),
    (_STATES, lambda record, flags: bool(flags & _STATE_FLAGS.get(record.state, D.LIST_DOMAINS_OTHER))),
)

#: Every flag that `list` understands.
LIST_FLAGS = 0
for _mask, _test in FILTERS:
    LIST_FLAGS |= _mask
