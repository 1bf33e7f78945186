"""Defaults of <filesystem>: whose permissions count, and what libvirt forgets of each kind."""

from __future__ import annotations

import posixpath
from typing import Any

from msgspec.structs import replace

from roost.model.domain.devices.filesystem import Filesystem, FilesystemDriver, MountSource
from roost.model.domain.draft import Draft


def complete_filesystems(draft: Draft) -> None:
    draft.filesystems[:] = [_complete(filesystem) for filesystem in draft.filesystems]


def _complete(filesystem: Filesystem) -> Filesystem:
    source, driver = filesystem.source, filesystem.driver
    socket = source.socket if isinstance(source, MountSource) else None
    changes: dict[str, Any] = {}
    if filesystem.access_mode is None and socket is None:
        changes["access_mode"] = "passthrough"
    if socket is not None and isinstance(source, MountSource) and source.dir is not None:
        changes["source"] = MountSource(socket=socket)
    kind = driver.type if driver is not None else None
    if driver is not None:
        changes["driver"] = _driver(driver)
    binary = filesystem.binary
    if binary is not None and kind != "virtiofs":
        changes["binary"] = None
    elif binary is not None and binary.path is not None:
        changes["binary"] = replace(binary, path=clean_path(binary.path))
    return replace(filesystem, **changes) if changes else filesystem


def _driver(driver: FilesystemDriver) -> FilesystemDriver | None:
    """Attributes count only with a type, and the queue's size only for virtiofs."""
    if driver.type is None:
        driver = replace(driver, format=None, wrpolicy=None, queue=None)
    elif driver.type != "virtiofs" and driver.queue is not None:
        driver = replace(driver, queue=None)
    return driver if driver != FilesystemDriver() else None


def clean_path(path: str) -> str:
    """The path without doubled slashes and without one at its end; two at its start mean something to some systems."""
    start = "//" if path.startswith("//") and not path.startswith("///") else "/" if path.startswith("/") else ""
    rest = "/".join(part for part in path.split("/") if part)
    return posixpath.join(start, rest) if rest else start


__all__ = ["clean_path", "complete_filesystems"]
