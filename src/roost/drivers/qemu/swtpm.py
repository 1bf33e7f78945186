"""Software TPMs: one swtpm beside each QEMU that has a <tpm> of type 'emulator'.

Its state is below the driver's directory and outlives the guest's runs. It is
set up in a directory of its own first and renamed, so that a daemon killed in
between leaves no half of it. The process ends with its QEMU by itself; it is
listed as a helper before it is started, so that one whose QEMU never came is
found and ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from roost.drivers.qemu import plan
from roost.drivers.qemu.context import Context
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.engine.table import uuid_text
from roost.errors import From, InternalError, SystemCallError
from roost.host.api import Command
from roost.model.domain import Domain
from roost.model.domain.devices.tpm import EmulatorTpm

#: Seconds for making the keys of a new TPM, most of it arithmetic.
SETUP_TIMEOUT = 120.0
_CIPHER = "aes-256-cbc"
#: How much of the end of a log an error carries.
_EXCERPT = 2048


def state_directory(lib: Path, uuid: str, version: str) -> Path:
    """Where a guest's TPM keeps its state. lib: the directory of all guests' TPMs."""
    return tpm_directory(lib, uuid) / ("tpm2" if version == "2.0" else "tpm1.2")


def tpm_directory(lib: Path, uuid: str) -> Path:
    """What belongs to a guest's TPM. lib: the directory of all guests' TPMs."""
    return lib / uuid


def remove_state(lib: Path, uuid: str) -> None:
    """Forget what a guest's TPM has kept."""
    shutil.rmtree(tpm_directory(lib, uuid), ignore_errors=True)


def is_state_kept(document: Domain) -> bool:
    """Whether the state of a guest's TPM outlives its definition."""
    return any(
        isinstance(tpm.backend, EmulatorTpm) and bool(tpm.backend.persistent_state) for tpm in document.devices.tpms
    )


class SoftwareTpms:
    """Starts them."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._settling = asyncio.Lock()

    async def start(self, record: GuestRecord, guest: Guest, need: plan.SoftwareTpm, directory: Path) -> None:
        """Set it up where it has no state yet, and run it. directory: the guest's own.

        Raises SystemCallError without the programs, InternalError with swtpm_setup's own words,
        NoSecret for a passphrase that is not there.
        """
        program = _find("swtpm")
        log = self._context.paths.log / f"{record.name}-swtpm.log"
        key = None
        if need.secret is not None:
            key = await self._context.lookups.secrets.value("vtpm", uuid=need.secret)
        state = await self._prepare_state(record, need, log, key)
        socket_path = directory / "swtpm.sock"
        listener = guest.resources.descriptors.listen_for_guest(socket_path)
        words = [program, "socket", "--ctrl", f"type=unixio,fd={listener}", "--tpmstate", state, "--terminate"]
        words += ["--pid", f"file={guest.resources.helper_file('swtpm')}"]
        if need.version == "2.0":
            words.append("--tpm2")
        if need.debug:
            words += ["--log", f"fd=2,level={need.debug}"]
        with _passed(key) as keys, _passed(key) as migration_keys:
            # Each is read to its end.
            for option, descriptors in (("--key", keys), ("--migration-key", migration_keys)):
                for descriptor in descriptors:
                    words += [option, f"pwdfd={descriptor},mode={_CIPHER}"]
            await self._run(guest, words, log, (listener, *keys, *migration_keys))
        guest.resources.tpm_socket = str(socket_path)

    async def _run(self, guest: Guest, words: list[str], log: Path, descriptors: Sequence[int]) -> None:
        context = self._context
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            process = await context.host.processes.start(
                Command(words, _environment(context.paths.tpms), output, descriptors, context.account, umask=0o077)
            )
        finally:
            os.close(output)
        guest.resources.add_helper(process)

    # -- its state -------------------------------------------------------------------------

    async def _prepare_state(self, record: GuestRecord, need: plan.SoftwareTpm, log: Path, key: bytes | None) -> str:
        """The state as swtpm takes it, set up."""
        if need.state is not None:
            # Kept by the user, who may bring it along.
            uri = f"{'file' if need.state_is_file else 'dir'}://{need.state}"
            if _is_fresh(Path(need.state)):
                await self._set_up(record, need, uri, log, key)
            return f"backend-uri={uri}"
        own = self._context.host.ownership
        tpms = self._context.paths.tpms
        state = state_directory(tpms, uuid_text(record.uuid), need.version)
        own.directory(tpms)
        own.directory(state.parent)
        if not state.exists():
            unfinished = state.with_name(f"{state.name}.new")
            shutil.rmtree(unfinished, ignore_errors=True)
            own.directory(unfinished)
            await self._set_up(record, need, f"dir://{unfinished}", log, key)
            unfinished.rename(state)
        elif need.banks and need.version == "2.0":
            await self._set_up(record, need, f"dir://{state}", log, key, again=True)
        return f"dir={state},mode=0600"

    async def _set_up(
        self,
        record: GuestRecord,
        need: plan.SoftwareTpm,
        state: str,
        log: Path,
        key: bytes | None,
        *,
        again: bool = False,
    ) -> None:
        program = _find("swtpm_setup")
        words = [program, "--tpmstate", state]
        if need.version == "2.0":
            words.append("--tpm2")
        if need.banks:
            words += ["--pcr-banks", ",".join(need.banks)]
        if again:
            words.append("--reconfigure")
        else:
            words += ["--vmid", f"{record.name}:{uuid_text(record.uuid)}", "--createek", "--create-ek-cert"]
            words += ["--create-platform-cert", "--lock-nvram", "--not-overwrite"]
            if need.profile:
                words += ["--profile-name", need.profile]
            if need.profile_remove_disabled:
                words += ["--profile-remove-disabled", need.profile_remove_disabled]
        async with self._settling:
            # All guests' TPMs share one authority that signs their certificates.
            await self._call([program, "--create-config-files", "skip-if-exist"], log)
        with _passed(key) as keys:
            for descriptor in keys:
                words += ["--pwdfile-fd", str(descriptor), "--cipher", _CIPHER]
            await self._call(words, log, keys)

    async def _call(self, words: list[str], log: Path, descriptors: Sequence[int] = ()) -> None:
        context = self._context
        output = os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            start = os.fstat(output).st_size
            process = await context.host.processes.start(
                Command(
                    words,
                    _environment(context.paths.tpms),
                    output,
                    descriptors,
                    context.account,
                    umask=0o077,
                    lives_on=False,
                )
            )
            try:
                async with asyncio.timeout(SETUP_TIMEOUT):
                    status = await process.wait()
            except TimeoutError:
                process.terminate(0.0)
                status = None
            if status != 0:
                said = os.pread(output, _EXCERPT, max(start, os.fstat(output).st_size - _EXCERPT))
                raise InternalError(
                    f"Could not run '{words[0]}'. exitstatus: {status}; Check error log '{log}' for details.",
                    domain=From.QEMU,
                    hint=said.decode("utf-8", "replace").strip() or "it did not end in time",
                )
        finally:
            os.close(output)


@contextlib.contextmanager
def _passed(key: bytes | None) -> Iterator[tuple[int, ...]]:
    """A descriptor to read the passphrase from; none without one."""
    if key is None:
        yield ()
        return
    descriptor = os.memfd_create("swtpm-key")
    try:
        os.pwrite(descriptor, key, 0)
        yield (descriptor,)
    finally:
        os.close(descriptor)


def _is_fresh(state: Path) -> bool:
    """Whether nothing was kept there yet."""
    return not state.exists() or (state.is_dir() and not any(state.iterdir()))


def _find(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        text = f"Unable to find '{program}' binary in $PATH: {os.strerror(errno.ENOENT)}"
        raise SystemCallError(
            text,
            domain=From.NONE,
            int1=errno.ENOENT,
            str2=text,
            hint="install swtpm and swtpm-tools, or drop <tpm> of type 'emulator'",
        )
    return found


def _environment(tpms: Path) -> dict[str, str]:
    """A home where the tools keep their configuration and the authority of the certificates."""
    home = str(tpms)
    return {
        "LC_ALL": "C",
        "PATH": os.environ.get("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        "HOME": home,
        "XDG_CONFIG_HOME": f"{home}/config",
    }


__all__ = ["SoftwareTpms", "is_state_kept", "remove_state", "state_directory", "tpm_directory"]
