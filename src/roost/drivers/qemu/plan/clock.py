"""The guest's clock: -rtc and the timers that have options of their own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from roost.drivers.qemu.plan.context import Context
from roost.drivers.qemu.plan.pieces import Piece, option
from roost.errors import ConfigUnsupported, From
from roost.model.domain.clock import Clock, Timer

_TRACKS = {"guest": "vm", "wall": "host", "realtime": "rt"}
#: Policies QEMU's timers have; others are refused.
_RTC_POLICIES = frozenset((None, "delay", "catchup"))
_PIT_POLICIES = frozenset((None, "delay", "catchup", "discard"))


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def _base(clock: Clock, ctx: Context) -> str:
    if clock.offset == "variable":
        seconds = int(clock.adjustment or 0)
        if clock.basis == "localtime":
            seconds += ctx.grants.utc_offset
        return _stamp(datetime.fromtimestamp(ctx.grants.now, UTC) + timedelta(seconds=seconds))
    if clock.offset == "absolute":
        return _stamp(datetime.fromtimestamp(clock.start or 0, UTC))
    return "utc" if clock.offset == "utc" else "localtime"


def _refuse(timer: Timer, right: str) -> ConfigUnsupported:
    return ConfigUnsupported(
        f"unsupported {timer.name} timer tickpolicy '{timer.tickpolicy}'", domain=From.QEMU, hint=f"use {right}"
    )


def _rtc(clock: Clock) -> Iterator[str]:
    for timer in clock.timers:
        if timer.name != "rtc":
            continue
        if timer.track == "boot":
            raise ConfigUnsupported(
                "unsupported rtc timer track 'boot'", domain=From.QEMU, hint="use guest, wall or realtime"
            )
        if timer.track is not None:
            yield f"clock={_TRACKS[timer.track]}"
        if timer.tickpolicy not in _RTC_POLICIES:
            raise _refuse(timer, "delay or catchup")
        if timer.tickpolicy == "catchup":
            yield "driftfix=slew"
        return


def section(ctx: Context) -> Iterator[Piece]:
    clock = ctx.domain.clock or Clock()
    yield option("-rtc", ",".join((f"base={_base(clock, ctx)}", *_rtc(clock))))
    for timer in clock.timers:
        if timer.name == "platform":
            raise ConfigUnsupported(
                "unsupported timer type (name) 'platform'", domain=From.QEMU, hint="use rtc, pit, hpet or kvmclock"
            )
        if timer.name == "pit":
            if timer.tickpolicy not in _PIT_POLICIES:
                raise _refuse(timer, "delay, catchup or discard")
            if timer.tickpolicy != "catchup" and ctx.caps.has("kvm-pit"):
                yield option("-global", f"kvm-pit.lost_tick_policy={timer.tickpolicy or 'delay'}")


def environment(clock: Clock | None) -> dict[str, str]:
    if clock is not None and clock.offset == "timezone" and clock.timezone:
        return {"TZ": clock.timezone}
    return {}
