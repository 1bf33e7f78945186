"""<cputune>: where a guest's threads may run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from roost.engine.edits.iothreads import listed
from roost.errors import InvalidArg
from roost.model.domain import Domain
from roost.model.domain.cpuset import format_cpus, parse_cpus
from roost.model.domain.tuning import CpuTune, EmulatorPin, IoThreadPin, VcpuPin


def with_cputune(document: Domain, **changes: Any) -> Domain:
    """The document with fields of <cputune> changed."""
    tune = replace(document.cputune or CpuTune(), **changes)
    return replace(document, cputune=None if tune == CpuTune() else tune)


def require_cpus(cpus: frozenset[int], empty: str = "Empty cpu list for pinning") -> str:
    """The set as text. Raises InvalidArg for an empty one."""
    if not cpus:
        raise InvalidArg(empty, hint="name at least one CPU")
    return format_cpus(set(cpus))


# -- what a document says: None where nothing, so that a thread may run anywhere


def vcpu_cpus(document: Domain, number: int) -> frozenset[int] | None:
    """Of a processor."""
    return _cpus(document, next((pin.cpuset for pin in _tune(document).vcpupins if pin.vcpu == number), None))


def emulator_cpus(document: Domain) -> frozenset[int] | None:
    """Of the threads that are neither processors nor I/O threads."""
    pin = _tune(document).emulatorpin
    return _cpus(document, pin.cpuset if pin is not None else None)


def iothread_cpus(document: Domain, id: int) -> frozenset[int] | None:
    """Of an I/O thread."""
    return _cpus(document, next((pin.cpuset for pin in _tune(document).iothreadpins if pin.iothread == id), None))


def _tune(document: Domain) -> CpuTune:
    return document.cputune or CpuTune()


def _cpus(document: Domain, pin: str | None) -> frozenset[int] | None:
    """pin: of the thread alone."""
    named = pin or (document.vcpu.cpuset if document.vcpu is not None else None)
    return frozenset(parse_cpus(named)) if named else None


# -- changes


def with_vcpu_pin(document: Domain, vcpu: int, cpus: str) -> Domain:
    """cpus: a list such as 0-3."""
    others = (pin for pin in _tune(document).vcpupins if pin.vcpu != vcpu)
    changed = sorted((*others, VcpuPin(vcpu=vcpu, cpuset=cpus)), key=lambda pin: pin.vcpu)
    return with_cputune(document, vcpupins=tuple(changed))


def with_emulator_pin(document: Domain, cpus: str) -> Domain:
    return with_cputune(document, emulatorpin=EmulatorPin(cpuset=cpus))


def with_iothread_pin(document: Domain, id: int, cpus: str) -> Domain:
    """Raises InvalidArg for a thread that is not there."""
    numbers = [thread.id for thread in listed(document)]
    if id not in numbers:
        raise InvalidArg(f"iothreadid {id} not found", hint=known_threads(numbers))
    pins = {pin.iothread: pin for pin in _tune(document).iothreadpins}
    pins[id] = IoThreadPin(iothread=id, cpuset=cpus)
    return with_cputune(document, iothreadpins=tuple(pins[each] for each in numbers if each in pins))


def known_threads(numbers: Sequence[int]) -> str:
    """A hint that names the I/O threads."""
    return f"there are {', '.join(map(str, numbers))}" if numbers else "the domain has no I/O threads"


__all__ = [
    "emulator_cpus", "iothread_cpus", "known_threads", "require_cpus", "vcpu_cpus", "with_cputune",
    "with_emulator_pin", "with_iothread_pin", "with_vcpu_pin",
]  # fmt: skip
