"""I/O threads in documents, and what can be set of a running one. Dry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from roost.constants import domain as D
from roost.constants import typed_params as T
from roost.contract.typed_params import TypedParam, checked
from roost.errors import ConfigUnsupported, From, InvalidArg, OperationInvalid, OperationUnsupported
from roost.model.domain import Domain
from roost.model.domain.devices.controller import Controller
from roost.model.domain.processors import IoThread

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


def listed(document: Domain) -> tuple[IoThread, ...]:
    """The threads, those that the document only counts too."""
    if document.iothread_ids:
        return document.iothread_ids
    return tuple(IoThread(id=number) for number in range(1, (document.iothreads or 0) + 1))


def _with(document: Domain, threads: Sequence[IoThread]) -> Domain:
    # A count says enough of threads that are numbered from 1 on.
    plain = list(threads) == [IoThread(id=n + 1) for n in range(len(threads))]
    return replace(document, iothreads=len(threads) or None, iothread_ids=() if plain else tuple(threads))


def added(document: Domain, id: int) -> Domain:
    """The document with one more. Raises InvalidArg for an id that is taken."""
    threads = listed(document)
    if any(thread.id == id for thread in threads):
        taken = ", ".join(str(thread.id) for thread in threads)
        raise InvalidArg(f"an IOThread is already using iothread_id '{id}'", domain=From.DOMAIN, hint=f"taken: {taken}")
    return replace(document, iothreads=len(threads) + 1, iothread_ids=(*threads, IoThread(id=id)))


def removed(document: Domain, id: int) -> Domain:
    """The document without it. Raises InvalidArg for one that is not there or serves a device."""
    threads = listed(document)
    if all(thread.id != id for thread in threads):
        raise InvalidArg(f"cannot find IOThread '{id}' in iothreadids list", domain=From.DOMAIN, hint=_known(threads))
    for disk in document.devices.disks:
        driver = disk.driver
        if driver is not None and (driver.iothread == id or any(each.id == id for each in driver.iothreads)):
            raise InvalidArg(
                f"cannot remove IOThread {id} since it is being used by disk '{disk.target.dev}'", domain=From.DOMAIN
            )
    if any(_serves(id, controller) for controller in document.devices.controllers):
        raise InvalidArg(f"cannot remove IOThread '{id}' since it is being used by controller", domain=From.DOMAIN)
    return _with(document, [thread for thread in threads if thread.id != id])


def _serves(id: int, controller: Controller) -> bool:
    return controller.driver is not None and controller.driver.iothread == id


def _known(threads: Sequence[IoThread]) -> str:
    return "there are " + (", ".join(str(thread.id) for thread in threads) or "none")


def changed(document: Domain, id: int, values: Values) -> Domain:
    """The document with a thread's bounds. Raises InvalidArg, and OperationInvalid for bounds that cross."""
    threads = listed(document)
    found = next((thread for thread in threads if thread.id == id), None)
    if found is None:
        raise InvalidArg(f"cannot find IOThread '{id}' in iothreadids", domain=From.QEMU, hint=_known(threads))
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


__all__ = ["added", "changed", "check_config", "check_live", "listed", "properties", "removed", "values"]
