"""passt: one process beside QEMU for each interface that has it as its backend; it ends when QEMU hangs up."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from pathlib import Path

from roost.drivers.qemu import plan
from roost.drivers.qemu.context import Context
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.errors import From, InternalError, SystemCallError
from roost.host.api import Command

#: Seconds until it has gone into the background, its socket open.
_READY_TIMEOUT = 30.0
_EXCERPT = 2048


class Passts:
    """Starts them."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def start(self, record: GuestRecord, guest: Guest, need: plan.Passt, directory: Path) -> None:
        """Run it, listening when this returns. directory: the guest's own.

        Raises SystemCallError without the program, InternalError with its own words.
        """
        program = shutil.which("passt")
        if program is None:
            text = f"Cannot find 'passt' in path: {os.strerror(errno.ENOENT)}"
            raise SystemCallError(
                text, domain=From.QEMU, int1=errno.ENOENT, str2=text, hint="install passt, or drop <backend>"
            )
        log = self._context.paths.log / f"{record.name}-{need.key}-passt.log"
        words = [program, "--one-off", "--socket", str(directory / f"{need.key}.socket")]
        words += ["--pid", guest.resources.helper_file(f"{need.key}-passt"), *need.arguments]
        output = os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        start = os.fstat(output).st_size
        try:
            process = await self._context.host.processes.start(
                Command(words, {"LC_ALL": "C", "PATH": os.defpath}, output, (), self._context.account)
            )
            try:
                async with asyncio.timeout(_READY_TIMEOUT):
                    status = await process.wait()
            except TimeoutError:
                process.terminate(0.0)
                status = None
            if status != 0:
                said = os.pread(output, _EXCERPT, start).decode("utf-8", "replace").strip()
                raise InternalError(
                    f"Could not start 'passt'. exitstatus: {status}: {said}", domain=From.QEMU, hint=f"see {log}"
                )
        finally:
            os.close(output)


__all__ = ["Passts"]
