"""The firmware descriptors that a host has: the distribution's, overridden by the administrator's, then the user's."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from roost.errors import From, SystemCallError
from roost.model.domain.firmware import FirmwareDescriptor, parse_descriptor

_SYSTEM = (Path("/usr/share/qemu/firmware"), Path("/etc/qemu/firmware"))


def descriptor_directories(*, privileged: bool) -> tuple[Path, ...]:
    """Where descriptors stand, the least specific first. privileged: root's own home is not looked into."""
    if privileged:
        return _SYSTEM
    home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return (*_SYSTEM, Path(home) / "qemu" / "firmware")


class FirmwareStore:
    """The descriptors, read again only when a file has changed."""

    def __init__(self, directories: Sequence[Path]) -> None:
        self._directories = directories
        self._stamp: tuple[tuple[str, int, int], ...] | None = None
        self._descriptors: tuple[FirmwareDescriptor, ...] = ()

    def stamp(self) -> tuple[tuple[str, int, int], ...]:
        """What identifies the state of the descriptors: (path, mtime, size) of each that counts.

        A file hides one of the same name in a less specific directory, an empty one altogether.
        """
        files: dict[str, tuple[str, int, int]] = {}
        for directory in self._directories:
            try:
                entries = list(os.scandir(directory))
            except OSError:
                continue
            for entry in entries:
                if not entry.name.startswith("."):
                    _add(files, entry)
        return tuple(files[name] for name in sorted(files) if files[name][2] > 0)

    def descriptors(self) -> tuple[FirmwareDescriptor, ...]:
        """In the order in which they are tried. Raises InternalError, SystemCallError for one that cannot be read."""
        stamp = self.stamp()
        if stamp != self._stamp:
            self._descriptors = tuple(_read(path) for path, _, _ in stamp)
            self._stamp = stamp
        return self._descriptors


def _add(files: dict[str, tuple[str, int, int]], entry: os.DirEntry[str]) -> None:
    try:
        status = entry.stat()
    except OSError as error:
        raise _unreadable(f"Unable to access {entry.path}", error) from error
    if entry.is_file():
        files[entry.name] = (entry.path, status.st_mtime_ns, status.st_size)


def _read(path: str) -> FirmwareDescriptor:
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise _unreadable(f"Failed to open file '{path}'", error) from error
    return parse_descriptor(text, path)


def _unreadable(what: str, error: OSError) -> SystemCallError:
    text = f"{what}: {error.strerror}"
    return SystemCallError(
        text,
        domain=From.QEMU,
        int1=error.errno or 0,
        str2=text,
        hint="correct or remove this firmware descriptor",
    )
