"""Scripts of the administrator's that are told what happens, and may refuse some of it.

`hooks/DRIVER`, then the files of `hooks/DRIVER.d` in the order of their names:
those that may be executed. Each gets four words, NAME OPERATION SUBOPERATION
EXTRA, and a document on its standard input.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from roost.errors import From, HookScriptFailed
from roost.host.api import Command, Processes

#: What scripts see of the daemon's environment.
_PASSED = ("LD_PRELOAD", "LD_LIBRARY_PATH", "PATH", "HOME", "USER", "LOGNAME", "TMPDIR")
#: Bytes of a script's complaint that are passed on.
_COMPLAINT = 4096


class Hooks:
    """The scripts below a directory; looked for anew each time, so that nothing has to be told of a new one."""

    def __init__(self, directory: Path, processes: Processes) -> None:
        self._directory = directory
        self._processes = processes

    def scripts(self, driver: str) -> Sequence[Path]:
        """Those that will run, in their order."""
        main, more = self._directory / driver, self._directory / f"{driver}.d"
        try:
            others = sorted(more / name for name in os.listdir(more))
        except OSError:
            others = []
        return [path for path in (main, *others) if path.is_file() and os.access(path, os.X_OK)]

    async def run(
        self, driver: str, name: str, operation: str, suboperation: str = "-", extra: str = "-", document: str = ""
    ) -> None:
        """Run them one after the other, all of them. Raises HookScriptFailed for the first that failed."""
        failure: HookScriptFailed | None = None
        for script in self.scripts(driver):
            try:
                await self._run([str(script), name, operation, suboperation, extra], document)
            except HookScriptFailed as error:
                failure = failure or error
        if failure is not None:
            raise failure

    async def _run(self, argv: Sequence[str], document: str) -> None:
        env = environment()
        given, output = os.memfd_create("document"), os.memfd_create("output")
        try:
            os.write(given, document.encode("utf-8", "surrogateescape"))
            os.lseek(given, 0, os.SEEK_SET)
            process = await self._processes.start(Command(argv, env, output, input=given))
            code = await process.wait()
            said = os.pread(output, _COMPLAINT, 0).decode("utf-8", "replace").strip()
        finally:
            os.close(given)
            os.close(output)
        if code:
            raise HookScriptFailed(f"internal error: {complaint(argv, env, code, said)}", domain=From.HOOK)


def environment() -> dict[str, str]:
    """What a script gets of the environment."""
    return {"LC_ALL": "C"} | {name: os.environ[name] for name in _PASSED if name in os.environ}


def complaint(argv: Sequence[str], env: Mapping[str, str], code: int, said: str) -> str:
    """How a script's end is reported. code: as of subprocess, below zero for a signal."""
    words = " ".join((*(f"{name}={value}" for name, value in env.items()), *argv))
    ending = f"fatal signal {-code}" if code < 0 else f"exit status {code}"
    return f"Child process ({words}) unexpected {ending}: {said}"
