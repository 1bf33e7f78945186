"""<iothreadids>: I/O threads that come and go."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from roost.errors import From, InvalidArg
from roost.model.domain import Domain
from roost.model.domain.devices.controller import Controller
from roost.model.domain.processors import IoThread
from roost.model.domain.tuning import CpuTune


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
        raise InvalidArg(f"cannot find IOThread '{id}' in iothreadids list", domain=From.DOMAIN, hint=known(threads))
    for disk in document.devices.disks:
        driver = disk.driver
        if driver is not None and (driver.iothread == id or any(each.id == id for each in driver.iothreads)):
            raise InvalidArg(
                f"cannot remove IOThread {id} since it is being used by disk '{disk.target.dev}'", domain=From.DOMAIN
            )
    if any(_serves(id, controller) for controller in document.devices.controllers):
        raise InvalidArg(f"cannot remove IOThread '{id}' since it is being used by controller", domain=From.DOMAIN)
    return _with(_unpinned(document, id), [thread for thread in threads if thread.id != id])


def _unpinned(document: Domain, id: int) -> Domain:
    """Where it may run goes with it."""
    tune = document.cputune
    if tune is None:
        return document
    tune = replace(tune, iothreadpins=tuple(pin for pin in tune.iothreadpins if pin.iothread != id))
    return replace(document, cputune=None if tune == CpuTune() else tune)


def _serves(id: int, controller: Controller) -> bool:
    return controller.driver is not None and controller.driver.iothread == id


def known(threads: Sequence[IoThread]) -> str:
    """A hint that names those there are."""
    return "there are " + (", ".join(str(thread.id) for thread in threads) or "none")


__all__ = ["added", "known", "listed", "removed"]
