"""The small devices: hub, watchdog, balloon, random numbers, panic, vsock."""

from __future__ import annotations

from collections.abc import Iterator

from roost.drivers.qemu.plan.chardevs import backend, chardev_id, source_needs
from roost.drivers.qemu.plan.context import Context, alias_of
from roost.drivers.qemu.plan.pieces import Piece, compact, device, option
from roost.drivers.qemu.plan.resources import File, Listener, Log
from roost.errors import ConfigUnsupported, From
from roost.model.domain.device import IsaAddress
from roost.model.domain.devices.small import (
    EgdBackend,
    Hub,
    MemBalloon,
    Panic,
    RandomBackend,
    Rng,
    VirtioModel,
    Watchdog,
)

_DEFAULT_RANDOM = "/dev/random"


def _suffix(model: VirtioModel | None) -> str | None:
    return model if model != "virtio" else None


def hub(hub: Hub, ctx: Context) -> Iterator[Piece]:
    yield device({"driver": ctx.driver("usb-hub", "usb hub"), "id": alias_of(hub), **ctx.address(hub)})


def watchdog(watchdog: Watchdog, ctx: Context) -> Iterator[Piece]:
    if watchdog.model == "itco":
        # Part of the board, which leaves it without effect unless told otherwise.
        yield option("-global", "ICH9-LPC.noreboot=off")
        return
    driver = ctx.driver(watchdog.model, f"watchdog {watchdog.model}")
    yield device({"driver": driver, "id": alias_of(watchdog), **ctx.address(watchdog)})


def memballoon(balloon: MemBalloon, ctx: Context) -> Iterator[Piece]:
    if balloon.model == "none":
        return
    if balloon.model == "xen":
        raise ConfigUnsupported(
            "Memory balloon device type 'xen' is not supported by this version of qemu",
            domain=From.QEMU,
            hint="use model 'virtio' or 'none'",
        )
    props = ctx.virtio("virtio-balloon", balloon, balloon.driver, _suffix(balloon.model))
    props |= {
        "id": alias_of(balloon),
        "deflate-on-oom": balloon.autodeflate,
        "free-page-reporting": balloon.free_page_reporting,
    }
    yield device(props | ctx.address(balloon))


def rng(rng: Rng, ctx: Context) -> Iterator[Piece]:
    alias = alias_of(rng)
    source = rng.backend
    data: dict[str, str] = {"id": f"obj{alias}"}
    if isinstance(source, EgdBackend):
        name = chardev_id(alias)
        yield from backend(source.source, name, ctx)
        data |= {"qom-type": ctx.driver("rng-egd", "rng egd"), "chardev": name}
    elif isinstance(source, RandomBackend):
        data |= {"qom-type": ctx.driver("rng-random", "rng random"), "filename": source.path or _DEFAULT_RANDOM}
    else:
        data |= {"qom-type": ctx.driver("rng-builtin", "rng builtin")}
    yield Piece("object", compact(data))
    props = ctx.virtio("virtio-rng", rng, rng.driver, _suffix(rng.model))
    props |= {"rng": f"obj{alias}", "id": alias}
    if rng.rate is not None and rng.rate.bytes:
        props |= {"max-bytes": rng.rate.bytes, "period": rng.rate.period or 1000}
    yield device(props | ctx.address(rng))


def panic(panic: Panic, ctx: Context) -> Iterator[Piece]:
    if panic.model == "pvpanic":
        yield device(
            {"driver": ctx.driver("pvpanic-pci", "panic pvpanic"), "id": alias_of(panic), **ctx.address(panic)}
        )
        return
    if panic.model not in (None, "isa"):
        return  # a property of the processor or of the machine
    address = panic.address
    ioport = address.iobase if isinstance(address, IsaAddress) else None
    yield device({"driver": ctx.driver("pvpanic", "panic isa"), "ioport": ioport})


def hubs_section(ctx: Context) -> Iterator[Piece]:
    for item in ctx.domain.devices.hubs:
        yield from hub(item, ctx)


def watchdogs_section(ctx: Context) -> Iterator[Piece]:
    watchdogs = ctx.domain.devices.watchdogs
    for item in watchdogs:
        yield from watchdog(item, ctx)
    if watchdogs:
        # QEMU cannot dump by itself: it stops, and whoever hears of it dumps.
        action = watchdogs[0].action
        yield option("-watchdog-action", "pause" if action == "dump" else action)


def memballoon_section(ctx: Context) -> Iterator[Piece]:
    balloon = ctx.domain.devices.memballoon
    if balloon is not None:
        yield from memballoon(balloon, ctx)


def rngs_section(ctx: Context) -> Iterator[Piece]:
    for item in ctx.domain.devices.rngs:
        yield from rng(item, ctx)


def panics_section(ctx: Context) -> Iterator[Piece]:
    for item in ctx.domain.devices.panics:
        yield from panic(item, ctx)


def needs(ctx: Context) -> Iterator[File | Listener | Log]:
    for item in ctx.domain.devices.rngs:
        source, alias = item.backend, alias_of(item)
        if isinstance(source, RandomBackend):
            yield File(source.path or _DEFAULT_RANDOM, write=False, user=alias, kind="device")
        elif isinstance(source, EgdBackend):
            yield from source_needs(source.source, chardev_id(alias), alias)
