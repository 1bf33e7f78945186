"""What QEMU's events mean: a table from their names to what changes and who is told.

Handlers run in the reader's callback, in the order of the events, and await
nothing; what must ask QEMU back is given to the supervisor as a job.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.drivers.qemu.blockjobs.chain import chain_of, image_at_node, mirror_chain
from roost.drivers.qemu.guest import PANICKED, Guest, GuestRecord
from roost.drivers.qemu.live import has_agent, with_channel_state
from roost.model.domain import Domain
from roost.model.domain.devices.disk import Disk
from roost.model.domain.devices.memory import VirtioMem
from roost.model.moment import source_path

if TYPE_CHECKING:
    from roost.drivers.qemu.supervisor import Supervisor

Data = Mapping[str, Any]
Handler = Callable[["Supervisor", GuestRecord, Guest, Data], None]

#: Why a domain is paused -> the detail of its Suspended event.
SUSPENDED_DETAIL = {
    D.PAUSED_UNKNOWN: E.SUSPENDED_PAUSED,
    D.PAUSED_USER: E.SUSPENDED_PAUSED,
    D.PAUSED_SAVE: E.SUSPENDED_PAUSED,
    D.PAUSED_DUMP: E.SUSPENDED_PAUSED,
    D.PAUSED_MIGRATION: E.SUSPENDED_MIGRATED,
    D.PAUSED_IOERROR: E.SUSPENDED_IOERROR,
    D.PAUSED_WATCHDOG: E.SUSPENDED_WATCHDOG,
    D.PAUSED_FROM_SNAPSHOT: E.SUSPENDED_FROM_SNAPSHOT,
    D.PAUSED_SNAPSHOT: E.SUSPENDED_PAUSED,
    D.PAUSED_API_ERROR: E.SUSPENDED_API_ERROR,
}

#: The same of a running domain's Resumed event.
RESUMED_DETAIL = {
    D.RUNNING_RESTORED: E.RESUMED_FROM_SNAPSHOT,
    D.RUNNING_FROM_SNAPSHOT: E.RESUMED_FROM_SNAPSHOT,
    D.RUNNING_MIGRATED: E.RESUMED_MIGRATED,
    D.RUNNING_MIGRATION_CANCELED: E.RESUMED_MIGRATED,
    D.RUNNING_POSTCOPY: E.RESUMED_POSTCOPY,
    D.RUNNING_POSTCOPY_FAILED: E.RESUMED_POSTCOPY_FAILED,
}

_WATCHDOG = {
    "none": E.WATCHDOG_NONE,
    "pause": E.WATCHDOG_PAUSE,
    "reset": E.WATCHDOG_RESET,
    "poweroff": E.WATCHDOG_POWEROFF,
    "shutdown": E.WATCHDOG_SHUTDOWN,
    "debug": E.WATCHDOG_DEBUG,
    "inject-nmi": E.WATCHDOG_INJECTNMI,
}
_IO_ACTION = {"ignore": E.IO_ERROR_NONE, "stop": E.IO_ERROR_PAUSE, "report": E.IO_ERROR_REPORT}
_FAMILY = {"ipv4": E.GRAPHICS_ADDRESS_IPV4, "ipv6": E.GRAPHICS_ADDRESS_IPV6, "unix": E.GRAPHICS_ADDRESS_UNIX}
_MEMORY_RECIPIENT = {"hypervisor": E.MEMORY_FAILURE_RECIPIENT_HYPERVISOR, "guest": E.MEMORY_FAILURE_RECIPIENT_GUEST}
_MEMORY_ACTION = {
    "ignore": E.MEMORY_FAILURE_ACTION_IGNORE,
    "inject": E.MEMORY_FAILURE_ACTION_INJECT,
    "fatal": E.MEMORY_FAILURE_ACTION_FATAL,
    "reset": E.MEMORY_FAILURE_ACTION_RESET,
}
#: Whether the guest asked for it itself; QEMU older than 2.10 does not tell.
_SHUTDOWN_BY: Mapping[object, int] = {True: E.SHUTDOWN_GUEST, False: E.SHUTDOWN_HOST}
_RESTART = ("restart", "rename-restart")


def _pause(s: Supervisor, record: GuestRecord, reason: int) -> None:
    record.set_state(D.PAUSED, reason)
    s.lifecycle(record, E.SUSPENDED, SUSPENDED_DETAIL.get(reason, E.SUSPENDED_PAUSED))
    s.save(record)


def _shutdown_or_reboot(s: Supervisor, record: GuestRecord, guest: Guest) -> None:
    restart = record.live is not None and record.live.on_poweroff in _RESTART
    if guest.reboot.wanted or restart:
        s.run(s.reboot_in_place(record, guest), f"restarting {record.name}")
    else:
        s.kill(guest)


def _shutdown(s: Supervisor, record: GuestRecord, guest: Guest, data: Data) -> None:
    guest.agent.notify("SHUTDOWN")
    if record.state == D.SHUTDOWN:
        return
    if guest.reboot.wanted or (
        record.live is not None and record.live.on_poweroff in _RESTART and guest.ending is None
    ):
        guest.reboot.under_way = True
    else:
        record.set_state(D.SHUTDOWN, D.SHUTDOWN_UNKNOWN)
        detail = _SHUTDOWN_BY.get(data.get("guest"), E.SHUTDOWN_FINISHED)
        s.lifecycle(record, E.SHUTDOWN, detail)
        s.save(record)
    if guest.ending is None:
        _shutdown_or_reboot(s, record, guest)


def _stop(s: Supervisor, record: GuestRecord, guest: Guest, data: Data) -> None:
    reason, guest.paused_reason = guest.paused_reason, 0
    if record.state == D.RUNNING and not guest.reboot.under_way:
        _pause(s, record, reason)


def _resume(s: Supervisor, record: GuestRecord, guest: Guest, data: Data) -> None:
    reason, guest.running_reason = guest.running_reason or D.RUNNING_UNPAUSED, 0
    if record.state != D.RUNNING:
        record.set_state(D.RUNNING, reason)
        s.lifecycle(record, E.RESUMED, RESUMED_DETAIL.get(reason, E.RESUMED_UNPAUSED))
        s.save(record)


def _reset(s: Supervisor, record: GuestRecord, guest: Guest, data: Data) -> None:
    guest.agent.notify("RESET")
    if guest.starting:
        return
    s.publish(record, E.ID_REBOOT)
    s.set_fake_reboot(record, guest, False)


def _rtc(s: Supervisor, record: GuestRecord, guest: Guest, data: Data) -> None:
    """QEMU counts from the time the guest was started with, which `-rtc base=` may have put anywhere."""
    ahead, live = guest.facts.clock + int(data.get("offset", 0)), record.live
    if live is not None and live.clock is not None and live.clock.offset == "variable":
        clock = msgspec.structs.replace(live.clock, adjustment=str(ahead))
        record.live = msgspec.structs.replace(live, clock=clock)
        s.save(record)
    s.publish(record, E.ID_RTC_CHANGE, ahead)


def _watchdog(s: Supervisor, record: GuestRecord, guest: Guest, data: Data) -> None:
    action = _WATCHDOG.get(str(data.get("action")), E.WATCHDOG_NONE)
    s.publish(record, E.ID_WATCHDOG, action)
    if action == E.WATCHDOG_PAUSE and record.state == D.RUNNING:
        _pause(s, record, D.PAUSED_WATCHDOG)
        live = record.live
        if live is not None and any(watchdog.action == "dump" for watchdog in live.devices.watchdogs):
            s.run(_dump_stopped(s, record, guest), f"dumping the memory of {record.name}")


async def _dump_stopped(s: Supervisor, record: GuestRecord, guest: Guest) -> None:
    """What a watchdog may be told to do: the guest goes on, whether its memory could be written or not."""
    try:
        await s.dump(record, guest)
    finally:
        if record.runtime is guest and guest.monitor is not None:
            await guest.monitor.execute("cont")


def _disk_at_node(live: Domain | None, node: str) -> Disk | None:
    """The disk that one of QEMU's nodes belongs to, be it of its images or of its copy's."""
    for disk in live.devices.disks if live is not None else ():
        layers = chain_of(disk).layers + (mirror_chain(disk.mirror).layers if disk.mirror is not None else ())
        if any(node in (layer.format_node, layer.storage_node) for layer in layers):
            return disk
    return None


def _disk_called(live: Domain | None, name: str) -> Disk | None:
    """The disk of a device, by its alias or its path in QEMU's tree."""
    for disk in live.devices.disks if live is not None else ():
        alias = disk.alias or ""
        if alias and (name.removeprefix("drive-") == alias or f"/{alias}/" in f"{name}/"):
            return disk
    return None


def _io_error(s: Supervisor, record: GuestRecord, guest: Guest, data: Data) -> None:
    device, node = str(data.get("device") or data.get("qom-path") or ""), str(data.get("node-name", ""))
    disk = _disk_called(record.live, device) if device else _disk_at_node(record.live, node)
    path = (source_path(disk.source) or "") if disk is not None else ""
    alias = (disk.alias or "") if disk is not None else ""
    action = _IO_ACTION.get(str(data.get("action")), E.IO_ERROR_NONE)
    reason = "enospc" if data.get("nospace") else ""
    s.publish(record, E.ID_IO_ERROR, path, alias, action)
    s.publish(record, E.ID_IO_ERROR_REASON, path, alias, action, reason)
    if action == E.IO_ERROR_PAUSE and record.state == D.RUNNING:
        _pause(s, record, D.PAUSED_IOERROR)


def _graphics(phase: int) -> Handler:
    def handle(s: Supervisor, record: GuestRecord, guest: Guest, data: Data) -> None:
        server, client = data.get("server", {}), data.get("client", {})

        def address(end: Data) -> tuple[int, str, str]:
            return _FAMILY.get(str(end.get("family")), 0), str(end.get("host", "")), str(end.get("service", ""))

        subject = []
        if "x509_dname" in client:
            subject.append(("x509dname", str(client["x509_dname"])))
        if "sasl_username" in client:
            subject.append(("saslUsername", str(client["sasl_username"])))
        scheme = str(server.get("auth", ""))
        s.publish(record, E.ID_GRAPHICS, phase, address(server), address(client), scheme, subject)

    return handle


def _tray(s: Supervisor, record: GuestRecord, guest: Guest, data: Data) -> None:
    opened, live = bool(data.get("tray-open")), record.live
    disk = _disk_called(live, str(data.get("id") or data.get("device", "")))
    if live is None or disk is None:
        return
    changed = msgspec.structs.replace(
        disk, target=msgspec.structs.replace(disk.target, tray="open" if opened else None)
    )
    disks = tuple(changed if each is disk else each for each in live.devices.disks)
    record.live = msgspec.structs.replace(live, devices=msgspec.structs.replace(live.devices, disks=disks))
    s.save(record)
    s.publish(record, E.ID_TRAY_CHANGE, disk.alias, E.TRAY_CHANGE_OPEN if opened else E.TRAY_CHANGE_CLOSE)


def _balloon(s: Supervisor, record: GuestRecord, guest: Guest, data: Data) -> None:
    """What a balloon leaves the guest; memory that was plugged into it by virtio is no concern of the balloon's."""
    actual, live = int(data.get("actual", 0)) // 1024, record.live
    if live is not None:
        actual += sum(each.current or 0 for each in live.devices.memories if isinstance(each, VirtioMem))
        record.live = msgspec.structs.replace(live, current_memory=actual)
        s.save(record)
    s.publish(record, E.ID_BALLOON_CHANGE, actual)


def _memory_size(s: Supervisor, record: GuestRecord, guest: Guest, data: Data) -> None:
    """A virtio-mem device has plugged or unplugged what was asked of it, or as much as the guest could."""
    alias, size, live = str(data.get("id", "")), -(-int(data.get("size", 0)) // 1024), record.live
    known = live.devices.memories if live is not None else ()
    device = next((each for each in known if isinstance(each, VirtioMem) and each.alias == alias), None)
    if live is None or device is None:
        return
    memories = tuple(msgspec.structs.replace(device, current=size) if each is device else each for each in known)
    current = (live.memory if live.current_memory is None else live.current_memory) + size - (device.current or 0)
    devices = msgspec.structs.replace(live.devices, memories=memories)
    record.live = msgspec.structs.replace(live, devices=devices, current_memory=current)
    s.save(record)
    s.publish(record, E.ID_MEMORY_DEVICE_SIZE_CHANGE, alias, size)


def _channel(s: Supervisor, record: GuestRecord, guest: Guest, data: Data) -> None:
    """Somebody in the guest opened or closed a channel: of the agent's, subscribers are told."""
    alias, connected = str(data.get("id", "")), bool(data.get("open"))
    if record.live is None:
        return
    changed = with_channel_state(record.live, alias, connected)
    if changed != record.live:
        record.live = changed
        if not guest.starting:
            s.save(record)
    if has_agent(changed, alias):
        guest.agent.follow(changed)
        state = E.AGENT_LIFECYCLE_STATE_CONNECTED if connected else E.AGENT_LIFECYCLE_STATE_DISCONNECTED
        if guest.starting:
            s.run(_tell_of_agent(s, record, guest, state), f"the agent's channel of {record.name}")
        else:
            s.publish(record, E.ID_AGENT_LIFECYCLE, state, E.AGENT_LIFECYCLE_REASON_CHANNEL)


async def _tell_of_agent(s: Supervisor, record: GuestRecord, guest: Guest, state: int) -> None:
    """What a guest that is restored says of its channel is told behind its start."""
    async with record.job("agent's channel"):
        if record.runtime is guest:
            s.publish(record, E.ID_AGENT_LIFECYCLE, state, E.AGENT_LIFECYCLE_REASON_CHANNEL)


def _pm_suspend(kind: int, detail: int) -> Handler:
    def handle(s: Supervisor, record: GuestRecord, guest: Guest, data: Data) -> None:
        s.publish(record, kind, 0)
        guest.agent.notify("SUSPEND")
        if record.state == D.RUNNING:
            record.set_state(D.PMSUSPENDED, D.PMSUSPENDED_UNKNOWN)
            s.lifecycle(record, E.PMSUSPENDED, detail)
            s.save(record)

    return handle


def _pm_wakeup(s: Supervisor, record: GuestRecord, guest: Guest, data: Data) -> None:
    s.publish(record, E.ID_PMWAKEUP, 0)
    if record.state == D.PMSUSPENDED:
        record.set_state(D.RUNNING, D.RUNNING_WAKEUP)
        s.lifecycle(record, E.STARTED, E.STARTED_WAKEUP)
        s.save(record)


def _words_of_panic(info: Data) -> str:
    """What the guest has told about its crash; "" for nothing anybody knows how to say."""
    if info.get("type") == "hyper-v":
        return "hyper-v: " + ", ".join(
            f"arg{number}='0x{int(info.get(f'arg{number}', 0)):x}'" for number in range(1, 6)
        )
    if info.get("type") == "s390":
        mask, address = int(info.get("psw-mask", 0)), int(info.get("psw-addr", 0))
        where = f"s390: core='{info.get('core')}' psw-mask='0x{mask:016x}' psw-addr='0x{address:016x}'"
        return f"{where} reason='{info.get('reason')}'"
    return ""


def _panic(s: Supervisor, record: GuestRecord, guest: Guest, data: Data) -> None:
    words = _words_of_panic(data.get("info", {}))
    if words:
        guest.log.panic(words)
    record.set_state(D.CRASHED, D.CRASHED_PANICKED)
    s.lifecycle(record, E.CRASHED, E.CRASHED_PANICKED)
    s.save(record)
    action = (record.live.on_crash if record.live is not None else None) or "destroy"
    if action.startswith("coredump-"):
        s.run(_dump_crashed(s, record, guest, action.removeprefix("coredump-")), f"dumping the memory of {record.name}")
    else:
        _end_crashed(s, record, guest, action)


async def _dump_crashed(s: Supervisor, record: GuestRecord, guest: Guest, action: str) -> None:
    """A guest whose memory cannot be written stays as it is."""
    await s.dump(record, guest)
    if record.runtime is guest:
        _end_crashed(s, record, guest, action)


def _end_crashed(s: Supervisor, record: GuestRecord, guest: Guest, action: str) -> None:
    if action == "destroy":
        s.kill(guest, PANICKED)
    elif action in ("restart", "rename-restart"):
        s.set_fake_reboot(record, guest, True)
        s.run(s.reboot_in_place(record, guest), f"restarting {record.name} after its crash")


def _crash_loaded(s: Supervisor, record: GuestRecord, guest: Guest, data: Data) -> None:
    s.lifecycle(record, E.CRASHED, E.CRASHED_CRASHLOADED)


def _block_threshold(s: Supervisor, record: GuestRecord, guest: Guest, data: Data) -> None:
    """Told of by an image's number, and of a disk's own image by the disk's name too, unless it was set by number."""
    excess, threshold = int(data.get("amount-exceeded", 0)), int(data.get("write-threshold", 0))
    node = str(data.get("node-name", ""))
    found = image_at_node(record.live, node) if record.live is not None else None
    if found is None:
        return
    target, image, is_own = found
    if is_own and node not in guest.blocks.named_thresholds:
        s.publish(record, E.ID_BLOCK_THRESHOLD, target, source_path(image.source), threshold, excess)
    name = f"{target}[{image.number}]"
    s.publish(record, E.ID_BLOCK_THRESHOLD, name, source_path(image.source), threshold, excess)


def _memory_failure(s: Supervisor, record: GuestRecord, guest: Guest, data: Data) -> None:
    flags = data.get("flags", {})
    bits = (D.MEMORY_FAILURE_ACTION_REQUIRED if flags.get("action-required") else 0) | (
        D.MEMORY_FAILURE_RECURSIVE if flags.get("recursive") else 0
    )
    recipient = _MEMORY_RECIPIENT.get(str(data.get("recipient")), 0)
    s.publish(record, E.ID_MEMORY_FAILURE, recipient, _MEMORY_ACTION.get(str(data.get("action")), 0), bits)


def _migration_pass(s: Supervisor, record: GuestRecord, guest: Guest, data: Data) -> None:
    s.publish(record, E.ID_MIGRATION_ITERATION, int(data.get("pass", 0)))


def _rx_filter(s: Supervisor, record: GuestRecord, guest: Guest, data: Data) -> None:
    """QEMU says so once, and again only when it has been asked what is new."""
    alias = str(data.get("name", ""))
    if alias:
        s.run(_tell_of_mac(s, record, guest, alias), f"the addresses of {record.name}")


async def _tell_of_mac(s: Supervisor, record: GuestRecord, guest: Guest, alias: str) -> None:
    async with record.job("query addresses"):
        if record.runtime is not guest or guest.monitor is None or record.live is None:
            return
        found = await guest.monitor.execute("query-rx-filter", {"name": alias})
        interface = next((each for each in record.live.devices.interfaces if each.alias == alias), None)
        new = str(found[0]["main-mac"]).lower() if found else ""
        old = guest.facts.macs.get(alias, interface.mac or "" if interface is not None else "")
        if interface is None or not new or new == old:
            return
        guest.facts.macs[alias] = new
        s.save(record)
        s.publish(record, E.ID_NIC_MAC_CHANGE, alias, old, new)


HANDLERS: Mapping[str, Handler] = {
    "SHUTDOWN": _shutdown,
    "STOP": _stop,
    "RESUME": _resume,
    "RESET": _reset,
    "RTC_CHANGE": _rtc,
    "WATCHDOG": _watchdog,
    "BLOCK_IO_ERROR": _io_error,
    "VNC_CONNECTED": _graphics(E.GRAPHICS_CONNECT),
    "VNC_INITIALIZED": _graphics(E.GRAPHICS_INITIALIZE),
    "VNC_DISCONNECTED": _graphics(E.GRAPHICS_DISCONNECT),
    "SPICE_CONNECTED": _graphics(E.GRAPHICS_CONNECT),
    "SPICE_INITIALIZED": _graphics(E.GRAPHICS_INITIALIZE),
    "SPICE_DISCONNECTED": _graphics(E.GRAPHICS_DISCONNECT),
    "DEVICE_TRAY_MOVED": _tray,
    "BALLOON_CHANGE": _balloon,
    "VSERPORT_CHANGE": _channel,
    "SUSPEND": _pm_suspend(E.ID_PMSUSPEND, E.PMSUSPENDED_MEMORY),
    "SUSPEND_DISK": _pm_suspend(E.ID_PMSUSPEND_DISK, E.PMSUSPENDED_DISK),
    "WAKEUP": _pm_wakeup,
    "GUEST_PANICKED": _panic,
    "GUEST_CRASHLOADED": _crash_loaded,
    "BLOCK_WRITE_THRESHOLD": _block_threshold,
    "MEMORY_FAILURE": _memory_failure,
    "MEMORY_DEVICE_SIZE_CHANGE": _memory_size,
    "MIGRATION_PASS": _migration_pass,
    "NIC_RX_FILTER_CHANGED": _rx_filter,
}
