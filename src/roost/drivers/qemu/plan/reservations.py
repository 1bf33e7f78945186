"""Persistent reservations: the objects through which QEMU reaches the process that makes them for a disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from roost.drivers.qemu.plan.context import Context
from roost.drivers.qemu.plan.images import sources
from roost.drivers.qemu.plan.pieces import Piece
from roost.drivers.qemu.plan.resources import Need, ReservationsHelper
from roost.model.domain import Domain
from roost.model.domain.devices.disk import AnyDiskSource, BackingStore
from roost.model.domain.devices.disksource import ReservationsSource

#: The object for the helper that the daemon runs for a guest, and its socket's name in the guest's directory.
MANAGED, SOCKET = "pr-helper0", "pr-helper0.sock"

_Change = Callable[[AnyDiskSource], AnyDiskSource]


def manager(name: str, path: str) -> Piece:
    """The way to a helper that listens at `path`."""
    return Piece("object", {"qom-type": "pr-manager-helper", "id": name, "path": path})


def managed(directory: str) -> Piece:
    """The way to the managed helper, one for all disks of a guest. directory: the guest's own."""
    return manager(MANAGED, f"{directory}/{SOCKET}")


def section(ctx: Context) -> Iterator[Piece]:
    if uses_managed(ctx.domain):
        yield managed(ctx.grants.directory)


def needs(ctx: Context) -> Iterator[Need]:
    if uses_managed(ctx.domain):
        yield ReservationsHelper(SOCKET)


def uses_managed(domain: Domain) -> bool:
    """Whether an image of any disk, or of a copy of one, needs the managed helper."""
    return any(_is_managed(source) for disk in domain.devices.disks for source in sources(disk))


def _is_managed(source: AnyDiskSource) -> bool:
    return source.reservations is not None and source.reservations.managed


# -- the socket in documents -------------------------------------------------------------------


def with_socket(source: AnyDiskSource, directory: str) -> AnyDiskSource:
    """An image whose helper is managed, with where that listens; any other as it is."""
    held = source.reservations
    if held is None or not held.managed:
        return source
    socket = ReservationsSource(type="unix", path=f"{directory}/{SOCKET}", mode="client")
    return replace(source, reservations=replace(held, source=socket))


def without_socket(source: AnyDiskSource, begin: str = "") -> AnyDiskSource:
    """The image without where a managed helper listens, if that begins so."""
    held = source.reservations
    if held is None or not held.managed or held.source is None or not held.source.path.startswith(begin):
        return source
    return replace(source, reservations=replace(held, source=None))


def with_sockets(document: Domain, directory: str) -> Domain:
    """The document of a running guest with where its managed helper listens. directory: the guest's own."""
    return _changed(document, lambda source: with_socket(source, directory))


def without_sockets(document: Domain, begin: str) -> Domain:
    """The document without such sockets of an earlier run. begin: of their paths."""
    return _changed(document, lambda source: without_socket(source, begin))


def _changed(document: Domain, change: _Change) -> Domain:
    if not uses_managed(document):
        return document
    disks = tuple(
        replace(disk, source=change(disk.source), backing_store=_changed_below(disk.backing_store, change))
        for disk in document.devices.disks
    )
    return replace(document, devices=replace(document.devices, disks=disks))


def _changed_below(store: BackingStore | None, change: _Change) -> BackingStore | None:
    if store is None or store.source is None:
        return store
    return replace(store, source=change(store.source), backing_store=_changed_below(store.backing_store, change))


__all__ = [
    "MANAGED", "SOCKET", "managed", "manager", "needs", "section", "uses_managed", "with_socket", "with_sockets",
    "without_socket", "without_sockets",
]  # fmt: skip
