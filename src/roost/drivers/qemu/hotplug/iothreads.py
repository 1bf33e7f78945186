"""What can be set of an I/O thread. Dry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from roost.constants import domain as D
from roost.constants import typed_params as T
from roost.contract.typed_params import TypedParam, checked
from roost.engine.edits.iothreads import known, listed
from roost.errors import ConfigUnsupported, From, InvalidArg, OperationInvalid, OperationUnsupported
from roost.model.domain import Domain

Values = Mapping[str, int]

#: The parameters, their types, and QEMU's names of them; those that come last may have to change places.
_TYPES = {
    D.IOTHREAD_POLL_MAX_NS: T.ULLONG,
    D.IOTHREAD_POLL_GROW: T.UINT,
    D.IOTHREAD_POLL_SHRINK: T.UINT,
    D.IOTHREAD_THREAD_POOL_MIN: T.INT,
    D.IOTHREAD_THREAD_POOL_MAX: T.INT,
}
_POLLING = (D.IOTHREAD_POLL_MAX_NS, D.IOTHREAD_POLL_GROW, D.IOTHREAD_POLL_SHRINK)
_MIN, _MAX = D.IOTHREAD_THREAD_POOL_MIN, D.IOTHREAD_THREAD_POOL_MAX
_INT_MAX = 2**31 - 1


def changed(document: Domain, id: int, values: Values) -> Domain:
    """The document with a thread's bounds. Raises InvalidArg, and OperationInvalid for bounds that cross."""
    threads = listed(document)
    found = next((thread for thread in threads if thread.id == id), None)
    if found is None:
        raise InvalidArg(f"cannot find IOThread '{id}' in iothreadids", domain=From.QEMU, hint=known(threads))
    least = values.get(_MIN, -1 if found.thread_pool_min is None else found.thread_pool_min)
    most = values.get(_MAX, -1 if found.thread_pool_max is None else found.thread_pool_max)
    if least > most:
        raise OperationInvalid(
            f"thread_pool_min ({least}) can't be greater than thread_pool_max ({most})", domain=From.QEMU
        )
    made = replace(found, thread_pool_min=None if least == -1 else least, thread_pool_max=None if most == -1 else most)
    if made == found:
        return document
    return replace(
        document,
        iothreads=len(threads),
        iothread_ids=tuple(made if thread is found else thread for thread in threads),
    )


# -- parameters --------------------------------------------------------------------------------


def values(params: Sequence[TypedParam]) -> Values:
    """The parameters by name. Raises ConfigUnsupported for those out of range."""
    found: dict[str, int] = checked(params, _TYPES)
    for name in _POLLING:
        if found.get(name, 0) > _INT_MAX:
            raise ConfigUnsupported(
                f"{name.replace('_', '-')} ({found[name]}) must be less than or equal to {_INT_MAX}", domain=From.QEMU
            )
    if found.get(_MIN, -1) < -1:
        raise ConfigUnsupported(
            f"thread_pool_min ({found[_MIN]}) must be equal to or greater than -1", domain=From.QEMU
        )
    most = found.get(_MAX, -1)
    if most < -1 or most == 0:
        raise ConfigUnsupported(f"thread_pool_max ({most}) must be a positive number or -1", domain=From.QEMU)
    return found


def check_live(found: Values) -> None:
    """Raises OperationInvalid for what only a start can set."""
    for name in (_MIN, _MAX):
        if name in found and found[name] < 0:
            raise OperationInvalid(
                f"{name} ({found[name]}) must be equal to or greater than 0 for live change", domain=From.QEMU
            )


def check_config(found: Values) -> None:
    """Raises OperationUnsupported for what the definition cannot keep."""
    if any(name in found for name in _POLLING):
        raise OperationUnsupported("configuring persistent polling values is not supported", domain=From.QEMU)


def properties(found: Values, current_max: int) -> Iterator[tuple[str, int]]:
    """QEMU's properties in an order in which the bounds never cross. current_max: of the pool."""
    bounds = (_MAX, _MIN) if current_max < found.get(_MIN, 0) else (_MIN, _MAX)
    for name in (*_POLLING, *bounds):
        if name in found:
            yield name.replace("_", "-"), found[name]


__all__ = ["changed", "check_config", "check_live", "properties", "values"]
