"""Files of one guest alone that are made at its start: the variables of its firmware, what its kernel keeps."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from roost.drivers.qemu.plan import Made
from roost.errors import From, OperationFailed, SystemCallError
from roost.host.api import Account


def make(made: Made, account: Account | None, *, anew: bool) -> None:
    """Make the file where it is missing, whole or not at all.

    anew: also where it is there, if it is a copy. account: whom it is for, None for the daemon's own user.
    Raises OperationFailed without anything to copy, SystemCallError naming the path.
    """
    path = Path(made.path)
    is_copy = not made.size and made.text is None
    if path.exists() and not (anew and is_copy):
        return
    if is_copy and not made.template:
        raise OperationFailed(
            f"unable to find any master var store for loader: {made.user}",
            domain=From.QEMU,
            hint=f"no firmware descriptor tells of it: give <nvram template='…'>, or make '{path}' yourself",
        )
    unfinished = path.with_name(f".{path.name}.new")
    try:
        _write(unfinished, made, account)
        unfinished.rename(path)
        _sync_directory(path.parent)
    except OSError as error:
        text = f"Failed to create file '{path}': {error.strerror}"
        raise SystemCallError(
            text, domain=From.QEMU, int1=error.errno or 0, str2=text, hint=f"its directory is '{path.parent}'"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink()


def _write(path: Path, made: Made, account: Account | None) -> None:
    """A file that was not there, on disk when this returns."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as target:
        _fill(target.fileno(), made)
        if account is not None and os.geteuid() == 0:
            os.fchown(target.fileno(), account.uid, account.gid)
        os.fsync(target.fileno())


def _fill(target: int, made: Made) -> None:
    if made.size:
        os.truncate(target, made.size)
    elif made.text is not None:
        os.write(target, made.text.encode())
    else:
        try:
            source = open(made.template, "rb")  # noqa: SIM115 - closed below
        except OSError as error:
            text = f"Failed to open file '{made.template}': {error.strerror}"
            raise SystemCallError(
                text, domain=From.QEMU, int1=error.errno or 0, str2=text, hint="the template that <nvram> names"
            ) from error
        with source, open(os.dup(target), "wb") as copy:
            shutil.copyfileobj(source, copy)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


__all__ = ["make"]
