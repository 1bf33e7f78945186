"""What the host gives a domain. Clients first ask for parameters with room for none, to learn how many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from roost.constants import domain as D
from roost.contract.interface import Interface
from roost.contract.tuning import DeviceLimits, Pinning, ResourceLimits, ThrottleGroups
from roost.errors import InternalError, InvalidArg, RpcError
from roost.protocol import limits
from roost.rpc.routes import Row, Values, fields, no_flags, nothing, one, row

if TYPE_CHECKING:
    from roost.contract.typed_params import TypedParam
    from roost.rpc.session import Session

#: CPUs that one reply may tell of.
_CPU_STATS_NCPUS = 128


def _cpus(bitmap: bytes) -> frozenset[int]:
    return frozenset(8 * place + bit for place, byte in enumerate(bitmap) for bit in range(8) if byte >> bit & 1)


def _bitmap(cpus: Iterable[int], size: int = 0) -> bytes:
    """A map of `size` bytes, what does not fit left out; of as many as it takes without."""
    found = sorted(cpus)
    data = bytearray(size or (found[-1] // 8 + 1 if found else 0))
    for cpu in found:
        if cpu // 8 < len(data):
            data[cpu // 8] |= 1 << cpu % 8
    return bytes(data)


def _maps(count: int, size: int) -> None:
    """Raises RpcError for maps that one reply cannot hold."""
    if count < 0 or size < 0:
        raise RpcError("maxinfo must be non-negative")
    if count > limits.VCPUINFO:
        raise RpcError("maxinfo > REMOTE_VCPUINFO_MAX")
    if count * size > limits.CPUMAPS:
        raise RpcError("maxinfo * maplen > REMOTE_CPUMAPS_MAX")


def _joined(sets: Sequence[Iterable[int]], count: int, size: int) -> bytes:
    return b"".join(_bitmap(cpus, size) if size else b"" for cpus in sets).ljust(count * size, b"\0")


def _vcpus(session: Session, values: Values) -> Values:
    domain, count, size = values
    _maps(count, size)
    places = session.backend.get(Pinning).vcpu_places(domain)[:count]
    return [place[:4] for place in places], _joined([place.affinity for place in places], count, size)


def _vcpu_pins(session: Session, values: Values) -> Values:
    domain, count, size, flags = values
    _maps(count, size)
    pins = session.backend.get(Pinning).vcpu_pins(domain, flags)[:count]
    return _joined(pins, count, size), len(pins)


def _emulator_pin(session: Session, values: Values) -> Values:
    domain, size, flags = values
    _maps(1, size)
    return _joined([session.backend.get(Pinning).emulator_pin(domain, flags)], 1, size), 1


def _iothread_pins(found: Sequence[tuple[int, frozenset[int]]]) -> Values:
    return [(id, _bitmap(cpus)) for id, cpus in found], len(found)


def _pin(values: Values) -> Values:
    """The map, which is the last but for the flags, as numbers."""
    *before, bitmap, flags = values
    return (*before, _cpus(bitmap), flags)


def _room(params: Sequence[TypedParam], room: int, limit: int) -> Values:
    if room < 0:
        raise RpcError("nparams must be non-negative")
    if room > limit:
        raise InternalError("nparams too large")
    return (params[:room], min(room, len(params)) if room else len(params))


def _params(interface: type[Interface], method: str, limit: int) -> Callable[[Session, Values], Any]:
    """Parameters of a domain: (domain, nparams, flags)."""

    def serve(session: Session, values: Values) -> Values:
        domain, room, flags = values
        return _room(getattr(session.backend.get(interface), method)(domain, flags), room, limit)

    return serve


def _scheduler(session: Session, values: Values) -> Values:
    domain, room, flags = values if len(values) == 3 else no_flags(values)
    params = session.backend.get(ResourceLimits).scheduler_parameters(domain, flags)
    return _room(params, room, limits.DOMAIN_SCHEDULER_PARAMETERS)[:1]


def _interface_params(session: Session, values: Values) -> Values:
    domain, device, room, flags = values
    params = session.backend.get(DeviceLimits).interface_parameters(domain, device if room else None, flags)
    return _room(params, room, limits.DOMAIN_INTERFACE_PARAMETERS)


async def _block_io_tune(session: Session, values: Values) -> Values:
    domain, disk, room, flags = values
    params = await session.backend.get(DeviceLimits).block_io_tune(domain, disk if room else None, flags)
    return _room(params, room, limits.DOMAIN_BLOCK_IO_TUNE_PARAMETERS)


def _cpu_stats(session: Session, values: Values) -> Values:
    """start: -1 for the domain as a whole; room 0 asks how many parameters there are, and of no CPUs, how many CPUs."""
    domain, room, start, count, flags = values
    if count > _CPU_STATS_NCPUS:
        raise InternalError("ncpus too large")
    served = session.backend.get(ResourceLimits)
    if start == -1:
        return _room(served.cpu_stats(domain, flags), room, limits.NODE_CPU_STATS)
    each = served.each_cpu_stats(domain, flags)
    if count == 0:
        return (), len(each)
    if start >= len(each):
        raise InvalidArg(f"start_cpu {start} larger than maximum of {len(each) - 1}")
    wanted = each[start : start + count]
    shown = [param for params in wanted for param in params[:room]]
    return shown, min(room, len(wanted[0])) if room else len(wanted[0])


def _memory(flags: int) -> Callable[[Values], Values]:
    return lambda values: (*values, flags)


ROWS = (
    row("DOMAIN_PIN_VCPU", Pinning, "pin_vcpu", nothing, lambda values: _pin((*values, D.AFFECT_LIVE))),
    row("DOMAIN_PIN_VCPU_FLAGS", Pinning, "pin_vcpu", nothing, _pin),
    Row("DOMAIN_GET_VCPUS", _vcpus, fields),
    Row("DOMAIN_GET_VCPU_PIN_INFO", _vcpu_pins, fields),
    row("DOMAIN_PIN_EMULATOR", Pinning, "pin_emulator", nothing, _pin),
    Row("DOMAIN_GET_EMULATOR_PIN_INFO", _emulator_pin, fields),
    row("DOMAIN_PIN_IOTHREAD", Pinning, "pin_iothread", nothing, _pin),
    row("DOMAIN_GET_IOTHREAD_INFO", Pinning, "iothread_pins", _iothread_pins),
    row("DOMAIN_GET_SCHEDULER_TYPE", ResourceLimits, "scheduler_type", fields),
    Row("DOMAIN_GET_SCHEDULER_PARAMETERS", _scheduler, fields),
    Row("DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS", _scheduler, fields),
    row("DOMAIN_SET_SCHEDULER_PARAMETERS", ResourceLimits, "set_scheduler_parameters", nothing, no_flags),
    row("DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS", ResourceLimits, "set_scheduler_parameters", nothing),
    Row(
        "DOMAIN_GET_MEMORY_PARAMETERS",
        _params(ResourceLimits, "memory_parameters", limits.DOMAIN_MEMORY_PARAMETERS),
        fields,
    ),
    row("DOMAIN_SET_MEMORY_PARAMETERS", ResourceLimits, "set_memory_parameters", nothing),
    Row(
        "DOMAIN_GET_BLKIO_PARAMETERS",
        _params(ResourceLimits, "blkio_parameters", limits.DOMAIN_BLKIO_PARAMETERS),
        fields,
    ),
    row("DOMAIN_SET_BLKIO_PARAMETERS", ResourceLimits, "set_blkio_parameters", nothing),
    Row(
        "DOMAIN_GET_NUMA_PARAMETERS",
        _params(ResourceLimits, "numa_parameters", limits.DOMAIN_NUMA_PARAMETERS),
        fields,
    ),
    row("DOMAIN_SET_NUMA_PARAMETERS", ResourceLimits, "set_numa_parameters", nothing),
    Row("DOMAIN_GET_CPU_STATS", _cpu_stats, fields),
    Row("DOMAIN_GET_BLOCK_IO_TUNE", _block_io_tune, fields),
    row("DOMAIN_SET_BLOCK_IO_TUNE", DeviceLimits, "set_block_io_tune", nothing),
    row("DOMAIN_SET_THROTTLE_GROUP", ThrottleGroups, "set", nothing),
    row("DOMAIN_DEL_THROTTLE_GROUP", ThrottleGroups, "delete", nothing),
    Row("DOMAIN_GET_INTERFACE_PARAMETERS", _interface_params, fields),
    row("DOMAIN_SET_INTERFACE_PARAMETERS", DeviceLimits, "set_interface_parameters", nothing),
    row("DOMAIN_GET_PERF_EVENTS", DeviceLimits, "perf_events", one),
    row("DOMAIN_SET_PERF_EVENTS", DeviceLimits, "set_perf_events", nothing),
    row("DOMAIN_SET_MEMORY", DeviceLimits, "set_memory", nothing, _memory(D.AFFECT_LIVE)),
    row("DOMAIN_SET_MEMORY_FLAGS", DeviceLimits, "set_memory", nothing),
    row("DOMAIN_SET_MAX_MEMORY", DeviceLimits, "set_memory", nothing, _memory(D.MEM_MAXIMUM)),
    row("DOMAIN_SET_MEMORY_STATS_PERIOD", DeviceLimits, "set_memory_stats_period", nothing),
)
