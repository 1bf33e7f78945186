"""What a client wants to hear of: its event registrations, and delivery to it.

Two styles live side by side. Registrations by 316 get a callback id and the
messages that carry it; registrations by 105 and 167 have no id and get the
older messages, which stop at event 15.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from roost.constants import domain_events as E
from roost.contract.events import DomainEvent, EventSource, MonitorEvent
from roost.contract.references import DomainIdentity
from roost.errors import From, InternalError, InvalidArg
from roost.protocol import QEMU, REMOTE, Procedure


class EventKind(NamedTuple):
    """How one kind of domain event travels.

    callback: message of a registration with callback id. legacy: the one
    without, None for events that came later. powers: the newer message has a
    reason before the domain, which has never had a value but 0.
    """

    callback: str
    legacy: str | None
    powers: bool = False


def _old(name: str, *, powers: bool = False) -> EventKind:
    return EventKind(f"DOMAIN_EVENT_CALLBACK_{name}", f"DOMAIN_EVENT_{name}", powers)


def _new(name: str) -> EventKind:
    return EventKind(name, None)


#: Public event id to how it travels; an id outside is refused.
KINDS: dict[int, EventKind] = {
    E.ID_LIFECYCLE: _old("LIFECYCLE"),
    E.ID_REBOOT: _old("REBOOT"),
    E.ID_RTC_CHANGE: _old("RTC_CHANGE"),
    E.ID_WATCHDOG: _old("WATCHDOG"),
    E.ID_IO_ERROR: _old("IO_ERROR"),
    E.ID_GRAPHICS: _old("GRAPHICS"),
    E.ID_IO_ERROR_REASON: _old("IO_ERROR_REASON"),
    E.ID_CONTROL_ERROR: _old("CONTROL_ERROR"),
    E.ID_BLOCK_JOB: _old("BLOCK_JOB"),
    E.ID_DISK_CHANGE: _old("DISK_CHANGE"),
    E.ID_TRAY_CHANGE: _old("TRAY_CHANGE"),
    E.ID_PMWAKEUP: _old("PMWAKEUP", powers=True),
    E.ID_PMSUSPEND: _old("PMSUSPEND", powers=True),
    E.ID_BALLOON_CHANGE: _old("BALLOON_CHANGE"),
    E.ID_PMSUSPEND_DISK: _old("PMSUSPEND_DISK", powers=True),
    E.ID_DEVICE_REMOVED: _old("DEVICE_REMOVED"),
    E.ID_BLOCK_JOB_2: _new("DOMAIN_EVENT_BLOCK_JOB_2"),
    E.ID_TUNABLE: _new("DOMAIN_EVENT_CALLBACK_TUNABLE"),
    E.ID_AGENT_LIFECYCLE: _new("DOMAIN_EVENT_CALLBACK_AGENT_LIFECYCLE"),
    E.ID_DEVICE_ADDED: _new("DOMAIN_EVENT_CALLBACK_DEVICE_ADDED"),
    E.ID_MIGRATION_ITERATION: _new("DOMAIN_EVENT_CALLBACK_MIGRATION_ITERATION"),
    E.ID_JOB_COMPLETED: _new("DOMAIN_EVENT_CALLBACK_JOB_COMPLETED"),
    E.ID_DEVICE_REMOVAL_FAILED: _new("DOMAIN_EVENT_CALLBACK_DEVICE_REMOVAL_FAILED"),
    E.ID_METADATA_CHANGE: _new("DOMAIN_EVENT_CALLBACK_METADATA_CHANGE"),
    E.ID_BLOCK_THRESHOLD: _new("DOMAIN_EVENT_BLOCK_THRESHOLD"),
    E.ID_MEMORY_FAILURE: _new("DOMAIN_EVENT_MEMORY_FAILURE"),
    E.ID_MEMORY_DEVICE_SIZE_CHANGE: _new("DOMAIN_EVENT_MEMORY_DEVICE_SIZE_CHANGE"),
    E.ID_NIC_MAC_CHANGE: _new("DOMAIN_EVENT_NIC_MAC_CHANGE"),
    E.ID_VCPU_REMOVED: _new("DOMAIN_EVENT_VCPU_REMOVED"),
}


class _DomainRegistration(NamedTuple):
    callback_id: int
    event_id: int
    uuid: bytes | None
    legacy: bool


class _MonitorRegistration(NamedTuple):
    callback_id: int
    uuid: bytes | None
    wanted: tuple[str | None, int]
    matches: Callable[[str], bool]


class Subscriptions:
    """The registrations of one session.

    send: takes (procedure, values) of an event message.
    """

    def __init__(self, source: EventSource, send: Callable[[Procedure, tuple[object, ...]], None]) -> None:
        self._source = source
        self._send = send
        self._next_id = 0
        self._domain: dict[int, _DomainRegistration] = {}
        self._monitor: dict[int, _MonitorRegistration] = {}
        self._unsubscribe: dict[type, Callable[[], None]] = {}

    def register(self, event_id: int, domain: DomainIdentity | None, *, legacy: bool = False) -> int:
        """The callback id of the new registration (which a legacy client never sees)."""
        kind = KINDS.get(event_id)
        if kind is None or (legacy and kind.legacy is None):
            raise InternalError(f"unsupported event ID {event_id}", domain=From.RPC)
        uuid = domain.uuid if domain is not None else None
        if any(known.event_id == event_id and known.uuid == uuid for known in self._domain.values()):
            raise InvalidArg("event callback already tracked", domain=From.NONE)
        callback_id = self._take_id()
        self._domain[callback_id] = _DomainRegistration(callback_id, event_id, uuid, legacy)
        self._subscribe(DomainEvent, self._deliver)
        return callback_id

    def deregister(self, callback_id: int) -> None:
        if self._domain.pop(callback_id, None) is None:
            raise InternalError(f"domain event callback {callback_id} not registered", domain=From.RPC)
        self._release(DomainEvent, self._domain)

    def deregister_legacy(self, event_id: int) -> None:
        """End the first registration for the event, as the older calls name nothing else."""
        kind = KINDS.get(event_id)
        if kind is None or kind.legacy is None:
            raise InternalError(f"unsupported event ID {event_id}", domain=From.RPC)
        for registration in self._domain.values():
            if registration.event_id == event_id:
                self.deregister(registration.callback_id)
                return
        raise InternalError(f"domain event {event_id} not registered", domain=From.RPC)

    def register_monitor(
        self, domain: DomainIdentity | None, event: str | None, flags: int, matches: Callable[[str], bool]
    ) -> int:
        """event, flags: what the client asked for. matches: the same, as a test of an event's name."""
        uuid = domain.uuid if domain is not None else None
        wanted = (event, flags)
        if any(known.uuid == uuid and known.wanted == wanted for known in self._monitor.values()):
            raise InvalidArg("event callback already tracked", domain=From.NONE)
        callback_id = self._take_id()
        self._monitor[callback_id] = _MonitorRegistration(callback_id, uuid, wanted, matches)
        self._subscribe(MonitorEvent, self._deliver_monitor)
        return callback_id

    def deregister_monitor(self, callback_id: int) -> None:
        if self._monitor.pop(callback_id, None) is None:
            raise InternalError(f"qemu monitor event callback {callback_id} not registered", domain=From.RPC)
        self._release(MonitorEvent, self._monitor)

    def close(self) -> None:
        """End everything."""
        self._domain.clear()
        self._monitor.clear()
        for unsubscribe in self._unsubscribe.values():
            unsubscribe()
        self._unsubscribe.clear()

    def _take_id(self) -> int:
        taken = self._next_id
        self._next_id += 1
        return taken

    def _subscribe(self, event_type: type, deliver: Callable[..., None]) -> None:
        if event_type not in self._unsubscribe:
            self._unsubscribe[event_type] = self._source.subscribe(event_type, deliver)

    def _release(self, event_type: type, left: Mapping[int, object]) -> None:
        if not left:
            self._unsubscribe.pop(event_type)()

    def _deliver(self, event: DomainEvent) -> None:
        kind = KINDS[event.kind]
        for registration in tuple(self._domain.values()):
            if registration.event_id != event.kind or registration.uuid not in (None, event.domain.uuid):
                continue
            if registration.legacy and kind.legacy is not None:
                fields = (event.domain,) if kind.powers else (event.domain, *event.args)
                self._send(REMOTE.by_name[kind.legacy], fields)
            else:
                fields = (0, event.domain) if kind.powers else (event.domain, *event.args)
                self._send(REMOTE.by_name[kind.callback], (registration.callback_id, *fields))

    def _deliver_monitor(self, event: MonitorEvent) -> None:
        for registration in tuple(self._monitor.values()):
            if registration.uuid in (None, event.domain.uuid) and registration.matches(event.event):
                self._send(QEMU.by_name["DOMAIN_MONITOR_EVENT"], (registration.callback_id, *event))
