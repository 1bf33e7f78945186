"""Events in words, as virsh says them: one entry for each event of the API, in the order of their numbers."""

from __future__ import annotations

from roost.cli.names import pick
from roost.cli.params import show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from roost.client.records import TypedParam

    #: From the fields behind the domain to what follows "event 'name' for domain 'name'".
    Formatter = Callable[..., str]

_KINDS = (
    ("Defined", ("Added", "Updated", "Renamed", "Snapshot")),
    ("Undefined", ("Removed", "Renamed")),
    ("Started", ("Booted", "Migrated", "Restored", "Snapshot", "Event wakeup")),
    (
        "Suspended",
        (
            "Paused",
            "Migrated",
            "I/O Error",
            "Watchdog",
            "Restored",
            "Snapshot",
            "API error",
            "Post-copy",
            "Post-copy Error",
        ),
    ),
    ("Resumed", ("Unpaused", "Migrated", "Snapshot", "Post-copy", "Post-copy Error")),
    ("Stopped", ("Shutdown", "Destroyed", "Crashed", "Migrated", "Saved", "Failed", "Snapshot")),
    ("Shutdown", ("Finished", "Finished after guest request", "Finished after host request")),
    ("PMSuspended", ("Memory", "Disk")),
    ("Crashed", ("Panicked", "Crashloaded")),
)
_WATCHDOG = ("none", "pause", "reset", "poweroff", "shutdown", "debug", "inject-nmi")
_IO_ERROR = ("none", "pause", "report")
_PHASE = ("connect", "initialize", "disconnect")
_FAMILY = ("IPv4", "IPv6", "unix")
_BLOCK_JOB = ("Unknown job", "Block Pull", "Block Copy", "Block Commit", "Active Block Commit", "Backup")
_BLOCK_JOB_STATUS = ("completed", "failed", "canceled", "ready")
_DISK_CHANGE = ("changed", "dropped")
_TRAY_CHANGE = ("opened", "closed")
_AGENT_STATE = ("unknown", "connected", "disconnected")
_AGENT_REASON = ("unknown", "domain started", "channel event")
_METADATA = ("description", "title", "element")
_RECIPIENT = ("hypervisor", "guest")
_MEMORY_FAILURE = ("ignore", "inject", "fatal", "reset")
_ACTION_REQUIRED, _RECURSIVE = 1, 2
_UNSUPPORTED = "unsupported value"
_NONE = "<null>"


def _nothing(*_: object) -> str:
    return ""


def _alias(alias: str) -> str:
    return f": {alias}"


def _lifecycle(kind: int, detail: int) -> str:
    if not 0 <= kind < len(_KINDS):
        return ": unknown unknown"
    name, details = _KINDS[kind]
    return f": {name} {pick(details, detail)}"


def _rtc_change(offset: int) -> str:
    return f": {offset}"


def _watchdog(action: int) -> str:
    return f": {pick(_WATCHDOG, action)}"


def _io_error(source: str, alias: str, action: int) -> str:
    return f": {source} ({alias}) {pick(_IO_ERROR, action)}"


def _io_error_reason(source: str, alias: str, action: int, reason: str) -> str:
    return f": {source} ({alias}) {pick(_IO_ERROR, action)} due to {reason}"


def _graphics(phase: int, local: Any, remote: Any, scheme: str, subject: Sequence[Any]) -> str:
    def address(end: Any) -> str:
        return f"[{pick(_FAMILY, end.family)} {end.node} {end.service}]"

    identities = "".join(f"\n\t{identity.type}={identity.name}" for identity in subject)
    return f": {pick(_PHASE, phase)} local{address(local)} remote{address(remote)} {scheme}{identities}"


def _block_job(disk: str, kind: int, status: int) -> str:
    return f": {pick(_BLOCK_JOB, kind, 'Unknown job')} for {disk} {pick(_BLOCK_JOB_STATUS, status)}"


def _disk_change(old: str | None, new: str | None, alias: str, reason: int) -> str:
    old, new = _NONE if old is None else old, _NONE if new is None else new
    return f" disk {alias}: {old} -> {new}: {pick(_DISK_CHANGE, reason)}"


def _tray_change(alias: str, reason: int) -> str:
    return f" disk {alias}: {pick(_TRAY_CHANGE, reason)}"


def _balloon_change(actual: int) -> str:
    return f": {actual}KiB"


def _params(params: Sequence[TypedParam]) -> str:
    return ":" + "".join(f"\n\t{param.field}: {show(param)}" for param in params)


def _agent_lifecycle(state: int, reason: int) -> str:
    return f": state: '{pick(_AGENT_STATE, state, _UNSUPPORTED)}' reason: '{pick(_AGENT_REASON, reason, _UNSUPPORTED)}'"


def _migration_iteration(iteration: int) -> str:
    return f": iteration: '{iteration}'"


def _metadata_change(kind: int, uri: str | None) -> str:
    return f": type {pick(_METADATA, kind, _UNSUPPORTED)}, uri {_NONE if uri is None else uri}"


def _block_threshold(device: str, path: str | None, threshold: int, excess: int) -> str:
    return f": dev: {device}({_NONE if path is None else path}) {threshold} {excess}"


def _memory_failure(recipient: int, action: int, flags: int) -> str:
    return (
        f":\nrecipient: {pick(_RECIPIENT, recipient, _UNSUPPORTED)}"
        f"\naction: {pick(_MEMORY_FAILURE, action, _UNSUPPORTED)}\nflags:"
        f"\n\taction required: {int(bool(flags & _ACTION_REQUIRED))}\n\trecursive: {int(bool(flags & _RECURSIVE))}"
    )


def _memory_device_size(alias: str, size: int) -> str:
    return f":\nalias: {alias}\nsize: {size}"


EVENTS: tuple[tuple[str, Formatter], ...] = (
    ("lifecycle", _lifecycle),
    ("reboot", _nothing),
    ("rtc-change", _rtc_change),
    ("watchdog", _watchdog),
    ("io-error", _io_error),
    ("graphics", _graphics),
    ("io-error-reason", _io_error_reason),
    ("control-error", _nothing),
    ("block-job", _block_job),
    ("disk-change", _disk_change),
    ("tray-change", _tray_change),
    ("pm-wakeup", _nothing),
    ("pm-suspend", _nothing),
    ("balloon-change", _balloon_change),
    ("pm-suspend-disk", _nothing),
    ("device-removed", _alias),
    ("block-job-2", _block_job),
    ("tunable", _params),
    ("agent-lifecycle", _agent_lifecycle),
    ("device-added", _alias),
    ("migration-iteration", _migration_iteration),
    ("job-completed", _params),
    ("device-removal-failed", _alias),
    ("metadata-change", _metadata_change),
    ("block-threshold", _block_threshold),
    ("memory-failure", _memory_failure),
    ("memory-device-size-change", _memory_device_size),
)
