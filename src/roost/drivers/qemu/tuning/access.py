"""Which devices of the host a guest's QEMU may open: what its document needs, and a few that every QEMU does.

The control group's list follows what the guest holds (`held.Held.nodes`), which
is on disk before it is allowed. A guest that holds none may open everything:
one without a control group, or whose group has no controller of devices.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections.abc import Iterable, Iterator
from glob import glob

from msgspec.structs import replace

from roost.drivers.qemu import nodes, plan
from roost.drivers.qemu.config import QemuConfig
from roost.drivers.qemu.context import Context
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.nodes import Node, Opening
from roost.errors import From, RoostError, SystemCallError
from roost.host.api import DeviceRule, Host
from roost.model.domain import Domain
from roost.model.domain.devices.graphics import DbusGraphics, EglHeadlessGraphics, SdlGraphics, SpiceGraphics
from roost.model.domain.devices.memory import SgxEpc
from roost.model.domain.security import SevSecurity, SevSnpSecurity

log = logging.getLogger(__name__)

_TERMINALS = DeviceRule("c", 136, -1, "rw")
_ALSA, _OSS = DeviceRule("c", 116, -1, "rw"), DeviceRule("c", 14, -1, "rw")
#: Devices that sound is played with, by the kind of <audio>.
_SOUND = {"alsa": _ALSA, "sdl": _ALSA, "oss": _OSS}
_SGX = ("/dev/sgx_vepc", "/dev/sgx_provision")
_SEV = "/dev/sev"
#: Shares the pictures of guests with the host's graphics.
_UDMABUF = "/dev/udmabuf"
_RENDER_NODES = "/dev/dri/renderD*"


# -- the rule ----------------------------------------------------------------------------------


def usual(domain: Domain, config: QemuConfig) -> Iterator[str]:
    """Paths that no device of the document names, for reading and writing."""
    yield from config.cgroup_device_acl
    if any(isinstance(memory, SgxEpc) for memory in domain.devices.memories):
        yield from _SGX
    if isinstance(domain.launch_security, SevSecurity | SevSnpSecurity):
        yield _SEV
    if any(video.model is not None and video.model.blob for video in domain.devices.videos):
        yield _UDMABUF
    if any(map(_draws_anywhere, domain.devices.graphics)):
        yield from sorted(glob(_RENDER_NODES))


def _draws_anywhere(graphics: object) -> bool:
    """Whether QEMU looks for a device to draw with by itself."""
    if isinstance(graphics, SpiceGraphics | DbusGraphics):
        return bool(graphics.gl) and graphics.rendernode is None
    return isinstance(graphics, EglHeadlessGraphics) and graphics.rendernode is None


def classes(domain: Domain) -> Iterator[DeviceRule]:
    """Devices of a kind, whatever their numbers."""
    yield _TERMINALS
    devices = domain.devices
    yield from (_SOUND[audio.type] for audio in devices.audios if audio.type in _SOUND)
    if devices.sounds and devices.graphics and isinstance(devices.graphics[0], SdlGraphics):
        yield _ALSA


# -- at the start ------------------------------------------------------------------------------


def reserve(context: Context, guest: Guest, live: Domain, needs: plan.Needs) -> None:
    """Decide on what a guest about to start may open. `make_group` lets it."""
    host, held = context.host, guest.resources.held
    if not held.group or not host.groups.has("devices"):
        return
    general = [Opening("", path, "rw") for path in usual(live, context.config)]
    _hold(
        guest,
        (
            *(Node("", rule) for rule in classes(live)),
            *nodes.found(host, [*general, *nodes.openings(needs)]),
        ),
    )


def limit(host: Host, guest: Guest, name: str) -> None:
    """Bound a new group. Raises SystemCallError for a device that the kernel does not let us allow."""
    held = guest.resources.held.nodes
    if held and not host.groups.limit_devices(guest.group, _rules(held)):
        log.warning("%s may open all devices: the kernel does not let this daemon bound them", name)
        forget(guest)


def forget(guest: Guest) -> None:
    """The guest may open everything."""
    _hold(guest, ())


# -- while it runs -----------------------------------------------------------------------------


async def apply(context: Context, guest: Guest) -> None:
    """Let it open what it holds, and no more. Raises SystemCallError."""
    held = guest.resources.held.nodes
    if not held or not guest.group:
        return
    if not await asyncio.to_thread(context.host.groups.limit_devices, guest.group, _rules(held)):
        text = f"Unable to allow devices to the control group {guest.group}: {os.strerror(errno.EPERM)}"
        hint = "the daemon has lost the right to do so since the guest was started: start it with CAP_SYS_ADMIN"
        raise SystemCallError(text, domain=From.QEMU, int1=errno.EPERM, str2=text, hint=hint)


async def settle(context: Context, record: GuestRecord, guest: Guest) -> None:
    """The same after something has left the guest; what fails is logged."""
    try:
        await apply(context, guest)
    except RoostError as error:
        if record.runtime is guest:
            log.warning("%s may open devices that it needs no more: %s", record.name, error)


async def admit(context: Context, record: GuestRecord, guest: Guest, paths: Iterable[str], *, write: bool) -> None:
    """Let it open images; on disk first, and until `Resources.take_back`. Raises SystemCallError."""
    held = guest.resources.held.nodes
    wanted = (Opening(path, path, "rw" if write else "r") for path in paths)
    new = nodes.joining(context.host, held, wanted)
    if not new:
        return
    _hold(guest, (*held, *new))
    try:
        context.save(record)
        await apply(context, guest)
    except BaseException:
        _hold(guest, tuple(node for node in guest.resources.held.nodes if node not in new))
        await settle(context, record, guest)
        raise


def _rules(held: Iterable[Node]) -> frozenset[DeviceRule]:
    return frozenset(node.rule for node in held)


def _hold(guest: Guest, held: tuple[Node, ...]) -> None:
    guest.resources.held = replace(guest.resources.held, nodes=held)


__all__ = ["admit", "apply", "classes", "forget", "limit", "reserve", "settle", "usual"]
