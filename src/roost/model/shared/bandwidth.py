"""Traffic shaping: <bandwidth>."""

from __future__ import annotations

from typing import Annotated

from msgspec.structs import replace

from roost.errors import ConfigUnsupported, From, InternalError, XmlDetail
from roost.xml import Complaint, Record, UInt, ULong, at


def _number(what: str) -> Complaint:
    text = f"could not convert bandwidth {what} value '%s'"
    return Complaint(ConfigUnsupported, text, domain=From.NONE)


def _once(tag: str) -> Complaint:
    return Complaint(XmlDetail, f"Only one child <{tag}> element allowed", domain=From.NONE)


class Rate(Record):
    """Kilobytes a second, and kilobytes for a burst."""

    average: Annotated[ULong | None, at("@average", wrong=_number("average"))] = None
    peak: Annotated[ULong | None, at("@peak", wrong=_number("peak"))] = None
    floor: Annotated[ULong | None, at("@floor", wrong=_number("floor"))] = None
    burst: Annotated[ULong | None, at("@burst", wrong=_number("burst"))] = None


class Bandwidth(Record):
    """class_id: the shaper's class, known of what is plugged in."""

    class_id: Annotated[
        UInt | None, at("@classID", wrong=Complaint(InternalError, "Unable to parse class id '%s'", domain=From.NONE))
    ] = None  # fmt: skip
    inbound: Annotated[Rate | None, at("inbound", keep_empty=True, once=_once("inbound"))] = None
    outbound: Annotated[Rate | None, at("outbound", keep_empty=True, once=_once("outbound"))] = None


def check_bandwidth(bandwidth: Bandwidth | None, *, floor: bool = False, class_id: bool = False) -> None:
    """Raises for what libvirt refuses. floor, class_id: whether they may be given here."""
    if bandwidth is None:
        return
    if bandwidth.class_id is not None and not class_id:
        raise XmlDetail("classID attribute not supported on <bandwidth> in this usage context", domain=From.NONE)
    for rate, may_floor in ((bandwidth.inbound, True), (bandwidth.outbound, False)):
        if rate is None:
            continue
        if rate.average is None and rate.floor is None:
            raise XmlDetail("Missing mandatory average or floor attributes", domain=From.NONE)
        if rate.average is None and (rate.peak is not None or rate.burst is not None):
            raise ConfigUnsupported("'peak' and 'burst' require 'average' attribute", domain=From.NONE)
        if rate.floor and not may_floor:
            raise ConfigUnsupported("'floor' attribute allowed only in <inbound> element", domain=From.NONE)
        if rate.floor and not floor:
            raise ConfigUnsupported("floor attribute is not supported for this config", domain=From.NONE)


def complete_bandwidth(bandwidth: Bandwidth | None) -> Bandwidth | None:
    """As libvirt keeps it: zeros mean nothing, and a rate of nothing but a peak is none."""
    if bandwidth is None or (bandwidth.inbound is None and bandwidth.outbound is None):
        return None
    return replace(
        bandwidth,
        class_id=bandwidth.class_id or None,
        inbound=_shown(bandwidth.inbound),
        outbound=_shown(bandwidth.outbound),
    )


def _shown(rate: Rate | None) -> Rate | None:
    if rate is None or not (rate.average or rate.floor):
        return None
    return Rate(
        average=rate.average or None, peak=rate.peak or None, floor=rate.floor or None, burst=rate.burst or None
    )


__all__ = ["Bandwidth", "Rate", "check_bandwidth", "complete_bandwidth"]
