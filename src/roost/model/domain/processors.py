"""How many processors and I/O threads a guest has: <vcpu>, <vcpus>, <iothreads>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import XmlError
from roost.model.domain.cpuset import BAD_LIST, CpuList
from roost.xml import Complaint, Integer, Positive, Record, UInt, ULong, YesNo, at


class NaturalValue(Integer):
    """A number that libvirt keeps signed although only some of those below zero mean anything."""

    complaint = " Expected non-negative value"

    def __init__(self) -> None:
        super().__init__(0, 2**31 - 1)
        self.complaint = NaturalValue.complaint


Natural = Annotated[int, NaturalValue()]


_NO_COUNT = Complaint(XmlError, "maximum vcpus count must be an integer")


class Vcpu(Record):
    """How many processors: `count` at most, `current` plugged in (all, when None).

    cpuset: host processors that all threads of the guest may use; placement
    "auto" asks numad for them.
    """

    placement: Literal["static", "auto"] | None = None
    cpuset: Annotated[CpuList | None, at("@cpuset", wrong=BAD_LIST)] = None
    current: UInt | None = None
    count: Annotated[UInt, at(".", wrong=_NO_COUNT, missing=_NO_COUNT)]


class VcpuState(Record):
    """One processor: there from the start when `enabled`; `order` is its turn to be plugged in, from 1."""

    id: UInt
    enabled: YesNo
    hotpluggable: YesNo | None = None
    order: Annotated[UInt | None, at("@order", unset=("0",))] = None


class IoThreadPoll(Record):
    """How long the thread polls before it sleeps, in nanoseconds, and how that time adapts."""

    min: ULong | None = None
    max: ULong | None = None
    grow: ULong | None = None
    shrink: ULong | None = None


class IoThread(Record):
    """A thread that serves disks, with the bounds of its pool of workers."""

    id: Positive
    thread_pool_min: Natural | None = None
    thread_pool_max: Natural | None = None
    poll: IoThreadPoll | None = None


class DefaultIoThread(Record):
    """The bounds of the main loop's pool of workers."""

    thread_pool_min: Natural | None = None
    thread_pool_max: Natural | None = None


__all__ = ["DefaultIoThread", "IoThread", "IoThreadPoll", "Natural", "Vcpu", "VcpuState"]
