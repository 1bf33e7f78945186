"""Answers of probed binaries, kept in memory and on disk.

A probe takes QEMU a third of a second, so its answer is kept under the binary's
path and thrown away when the binary, our version or access to KVM has changed.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

import msgspec

import roost
from roost.drivers.qemu.capabilities.emulators import Emulators
from roost.drivers.qemu.capabilities.probe import EDITION, probe
from roost.drivers.qemu.capabilities.record import Capabilities
from roost.engine.files import write_atomically
from roost.errors import ConfigUnsupported, From, InvalidArg, SystemCallError
from roost.host.api import Account, Processes


class _Entry(msgspec.Struct, frozen=True):
    """What is on disk. key: everything the answer depends on."""

    key: str
    capabilities: Capabilities


class CapabilitiesCache:
    """directory: for the files, made when missing. account: whom guests, and so probes, run as."""

    def __init__(self, directory: Path, processes: Processes, account: Account | None = None) -> None:
        self._directory = directory
        self._processes = processes
        self._account = account
        self._known: dict[str, _Entry] = {}
        self._probes: dict[str, asyncio.Lock] = {}
        self.emulators = Emulators()

    def known(self, binary: str) -> Capabilities | None:
        """The capabilities when they are at hand and the binary is still the same. Raises as `get` does."""
        entry = self._known.get(binary)
        return entry.capabilities if entry is not None and entry.key == self._key(binary) else None

    async def get(self, binary: str) -> Capabilities:
        """The capabilities of a binary, probed at most once. Raises SystemCallError, InternalError."""
        key = self._key(binary)
        entry = self._known.get(binary)
        if entry is not None and entry.key == key:
            return entry.capabilities
        async with self._probes.setdefault(binary, asyncio.Lock()):
            entry = self._known.get(binary)
            if entry is None or entry.key != key:
                entry = self._load(binary)
            if entry is None or entry.key != key:
                entry = _Entry(key, await probe(binary, self._processes, self._account))
                self._save(binary, entry)
            self._known[binary] = entry
            return entry.capabilities

    async def for_arch(self, arch: str | None) -> Capabilities:
        """The capabilities of the host's binary for `arch`; None is the host's own."""
        wanted = arch or os.uname().machine
        binary = self.emulators.find(wanted)
        if binary is None:
            raise InvalidArg(
                f"unable to find any emulator to serve '{wanted}' architecture",
                domain=From.QEMU,
                hint="install the package with its qemu-system binary",
            )
        return await self.get(binary)

    def _key(self, binary: str) -> str:
        try:
            status = os.stat(binary)
        except OSError as error:
            text = f"Cannot check QEMU binary {binary}: {error.strerror}"
            raise SystemCallError(
                text, domain=From.QEMU, int1=error.errno or 0, str2=text, hint="correct <emulator>, or install it"
            ) from error
        if not os.access(binary, os.X_OK):
            raise ConfigUnsupported(f"QEMU binary {binary} is not executable", domain=From.QEMU)
        user = self._account.uid if self._account else os.geteuid()
        return f"{roost.__version__} {EDITION} {status.st_mtime_ns} {status.st_size} {user} {_kvm_access()}"

    def _path(self, binary: str) -> Path:
        return self._directory / f"{hashlib.sha256(binary.encode()).hexdigest()}.json"

    def _load(self, binary: str) -> _Entry | None:
        try:
            return msgspec.json.decode(self._path(binary).read_bytes(), type=_Entry)
        except (OSError, msgspec.MsgspecError):
            return None

    def _save(self, binary: str, entry: _Entry) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        write_atomically(self._path(binary), msgspec.json.encode(entry), sync=False, mode=0o600)


def _kvm_access() -> str:
    try:
        status = os.stat("/dev/kvm")
    except OSError:
        return "none"
    return f"{status.st_mode:o}:{status.st_uid}:{status.st_gid}"
