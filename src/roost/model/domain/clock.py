"""The guest's clock and its timers: <clock>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import ConfigUnsupported
from roost.xml import Complaint, Record, ULong, YesNo, at

TimerName = Literal["platform", "pit", "rtc", "hpet", "tsc", "kvmclock", "hypervclock", "armvtimer"]


class Catchup(Record):
    threshold: Annotated[ULong | None, at("@threshold", unset=("0",))] = None
    slew: Annotated[ULong | None, at("@slew", unset=("0",))] = None
    limit: Annotated[ULong | None, at("@limit", unset=("0",))] = None


class Timer(Record):
    name: TimerName
    present: YesNo | None = None
    tickpolicy: Literal["delay", "catchup", "merge", "discard"] | None = None
    track: Literal["boot", "guest", "wall", "realtime"] | None = None
    frequency: Annotated[ULong | None, at("@frequency", unset=("0",))] = None
    mode: Literal["auto", "native", "emulate", "paravirt", "smpsafe"] | None = None
    catchup: Catchup | None = None


class Clock(Record):
    """offset 'variable' takes `adjustment` (seconds) and `basis`, 'timezone' `timezone`, 'absolute' `start`."""

    offset: Annotated[
        Literal["utc", "localtime", "variable", "timezone", "absolute"],
        at("@offset", wrong=Complaint(ConfigUnsupported, "unknown clock offset '%s'")),
    ] = "utc"
    adjustment: str | None = None
    basis: Literal["utc", "localtime"] | None = None
    timezone: str | None = None
    start: ULong | None = None
    timers: Annotated[tuple[Timer, ...], at("timer")] = ()


__all__ = ["Catchup", "Clock", "Timer", "TimerName"]
