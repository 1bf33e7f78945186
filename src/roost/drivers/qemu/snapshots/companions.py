"""What a snapshot keeps beside its document: the variables of the guest's firmware, and the state of its TPM.

They are no disks of the guest, but a guest that goes back without them finds
others than it has left: boot entries, keys, sealed secrets. NAME.nvram and
NAME.tpm stand beside NAME.xml, and share its fate; one that is empty says that
there was nothing yet.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from roost.drivers.qemu.paths import QemuPaths
from roost.drivers.qemu.swtpm import tpm_directory
from roost.engine.files import sync_directory
from roost.errors import From, SystemCallError
from roost.model.domain import Domain
from roost.model.domain.devices.tpm import EmulatorTpm
from roost.model.domain.os import nvram_path, variables_path

#: What the names of the two end with after the snapshot's.
VARIABLES, TPM = ".nvram", ".tpm"
SUFFIXES = (VARIABLES, TPM)


class Companion(NamedTuple):
    """path: where the guest has it. copy: where the snapshot keeps it. what: it is, in messages."""

    path: Path
    copy: Path
    what: str


class Companions:
    """Copies them. All that it does waits for disks: call it in a thread."""

    def __init__(self, paths: QemuPaths) -> None:
        self._paths = paths

    def of(self, document: Domain, name: str, snapshot: str) -> list[Companion]:
        """Those that a domain has, whether anything is in them yet or not. name: of the domain."""
        beside = self._paths.snapshots / name
        found = []
        nvram = document.os.nvram
        variables = variables_path(nvram)
        if document.os.firmware == "efi" and (nvram is None or (nvram.path is None and nvram.source is None)):
            variables = nvram_path(str(self._paths.nvram), name)
        if variables is not None:
            found.append(Companion(Path(variables), beside / (snapshot + VARIABLES), "variables of its firmware"))
        for tpm in document.devices.tpms:
            if isinstance(tpm.backend, EmulatorTpm):
                path = tpm.backend.source_path or tpm_directory(self._paths.tpms, document.uuid or "")
                found.append(Companion(Path(path), beside / (snapshot + TPM), "state of its TPM"))
        return found

    def keep(self, document: Domain, name: str, snapshot: str) -> None:
        """Copy them; the guest stands still. Raises SystemCallError with none of them left."""
        found = self.of(document, name, snapshot)
        try:
            for each in found:
                _remove(each.copy)
                each.copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                if each.path.exists():
                    _copy(each.path, each.copy)
                else:
                    each.copy.touch(mode=0o600)
        except OSError as error:
            self.forget(document, name, snapshot)
            raise _failed("cannot keep a copy of", error) from error

    def forget(self, document: Domain, name: str, snapshot: str) -> None:
        """The snapshot was not taken."""
        for each in self.of(document, name, snapshot):
            _remove(each.copy)

    def missing(self, document: Domain, name: str, snapshot: str) -> list[str]:
        """What a domain has and the snapshot no copy of."""
        return [each.what for each in self.of(document, name, snapshot) if not each.copy.exists()]

    def put_back(self, document: Domain, name: str, snapshot: str, *, variables: bool) -> None:
        """Make them what they were; no guest has them. variables: those of the firmware too. Raises SystemCallError.

        Each is the old one or the new one, whatever happens.
        """
        for each in self.of(document, name, snapshot):
            if each.copy.exists() and (variables or each.copy.suffix != VARIABLES):
                try:
                    _exchange(each.copy, each.path)
                except OSError as error:
                    raise _failed("cannot put back", error) from error


def _failed(action: str, error: OSError) -> SystemCallError:
    text = f"{action} '{error.filename}': {error.strerror}"
    return SystemCallError(text, domain=From.QEMU, int1=error.errno or 0, str2=text)


def _copy(source: Path, target: Path) -> None:
    """A file or a directory, with who owns what in it; synced."""
    for path, copy in _walk(source, target):
        if path.is_dir():
            copy.mkdir(mode=0o700)
        else:
            shutil.copyfile(path, copy)
            descriptor = os.open(copy, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        shutil.copystat(path, copy)
        _give(copy, path.stat())
    sync_directory(target.parent)


def _walk(source: Path, target: Path) -> Iterator[tuple[Path, Path]]:
    yield source, target
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            # A lock is held, not kept.
            if path.name != ".lock" and (path.is_dir() or path.is_file()):
                yield path, target / path.relative_to(source)


def _give(path: Path, status: os.stat_result) -> None:
    # Only root may; anybody else's files are their own anyway.
    with contextlib.suppress(PermissionError):
        os.chown(path, status.st_uid, status.st_gid)


def _exchange(copy: Path, path: Path) -> None:
    if copy.is_file() and copy.stat().st_size == 0:
        # There was none then: the next start makes it.
        _remove(path)
        return
    new, old = path.with_name(f"{path.name}.new"), path.with_name(f"{path.name}.old")
    for left in (new, old):
        _remove(left)
    path.parent.mkdir(parents=True, exist_ok=True)
    _copy(copy, new)
    if path.exists():
        _give(new, path.stat())
    if path.is_dir():
        path.rename(old)
    new.rename(path)
    sync_directory(path.parent)
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


__all__ = ["SUFFIXES", "Companions"]
