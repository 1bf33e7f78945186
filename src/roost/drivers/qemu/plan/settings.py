"""What no option sets: QMP commands between the greeting and the first instruction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from roost.drivers.qemu.plan.blocks import backend_id, throttle
from roost.drivers.qemu.plan.caps import Capabilities
from roost.drivers.qemu.plan.hotplug import Command
from roost.errors import From, XmlError
from roost.model.domain import Domain
from roost.model.domain.devices.graphics import SpiceGraphics, VncGraphics


def _reboot(domain: Domain, caps: Capabilities) -> Iterator[Command]:
    if domain.on_reboot == "destroy" and caps.has("command:set-action"):
        yield Command("set-action", {"reboot": "shutdown"})


def _expiry(text: str) -> str:
    """Seconds since 1970 of a passwdValidTo, which is UTC."""
    try:
        return str(int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC).timestamp()))
    except ValueError:
        raise XmlError(
            f"cannot parse password validity time '{text}', expect YYYY-MM-DDTHH:MM:SS", domain=From.DOMAIN
        ) from None


def passwords(domain: Domain, usual: Mapping[str, str]) -> Iterator[Command]:
    """Those of the displays of a live document. usual: by kind, of those that have none.

    Raises XmlError for a time that is none.
    """
    for graphics in domain.devices.graphics:
        if not isinstance(graphics, VncGraphics | SpiceGraphics):
            continue
        protocol = graphics.type
        password = graphics.passwd if graphics.passwd is not None else usual.get(protocol)
        if password is None:
            continue
        arguments = {"protocol": protocol, "password": password}
        if graphics.connected is not None:
            arguments["connected"] = graphics.connected
        yield Command("set_password", arguments)
        if not password:
            # An empty password lets nobody in.
            yield Command("expire_password", {"protocol": protocol, "time": "now"})
        elif graphics.passwd_valid_to is not None:
            yield Command("expire_password", {"protocol": protocol, "time": _expiry(graphics.passwd_valid_to)})


def _histograms(domain: Domain, caps: Capabilities) -> Iterator[Command]:
    for disk in domain.devices.disks:
        for histogram in disk.driver.latency_histograms if disk.driver is not None else ():
            suffix = f"-{histogram.type}" if histogram.type is not None else ""
            # The first bin starts where nothing ends.
            starts = [each.start for each in histogram.bins if each.start]
            yield Command("block-latency-histogram-set", {"id": backend_id(disk), f"boundaries{suffix}": starts})


def _throttles(domain: Domain, caps: Capabilities) -> Iterator[Command]:
    for disk in domain.devices.disks:
        limits = throttle(disk)
        if limits is not None:
            yield Command("block_set_io_throttle", limits)


def _links(domain: Domain, caps: Capabilities) -> Iterator[Command]:
    for interface in domain.devices.interfaces:
        if interface.link_state == "down":
            yield Command("set_link", {"name": interface.alias, "up": False})


def _balloon(domain: Domain, caps: Capabilities) -> Iterator[Command]:
    balloon = domain.devices.memballoon
    if balloon is None or balloon.model == "none":
        return
    if balloon.stats_period:
        arguments = {
            "path": f"/machine/peripheral/{balloon.alias}",
            "property": "guest-stats-polling-interval",
            "value": balloon.stats_period,
        }
        yield Command("qom-set", arguments)
    if domain.current_memory is not None and domain.current_memory < domain.memory:
        yield Command("balloon", {"value": domain.current_memory * 1024})


_SETTINGS: tuple[Callable[[Domain, Capabilities], Iterator[Command]], ...] = (
    _reboot,
    _throttles,
    _histograms,
    _links,
    _balloon,
)


def settings(domain: Domain, caps: Capabilities) -> tuple[Command, ...]:
    """The commands but those for passwords, in order, for `domain`, a live document."""
    return tuple(command for make in _SETTINGS for command in make(domain, caps))
