"""Listening unix sockets: bound in one step, unlinked at the end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path

from roost.errors import SystemCallError

log = logging.getLogger(__name__)

#: Connections accepted in one go before other work gets its turn.
ACCEPT_BATCH = 64

#: Seconds to wait before accepting again when the process ran out of descriptors.
ACCEPT_RETRY = 0.5

_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Listener:
    """Hands accepted sockets to `accepted` while resumed.

    mode: permissions of the socket file. group: its group id, -1 for the process's.
    backlog: connections that may wait to be accepted.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        path: Path,
        accepted: Callable[[socket.socket], None],
        *,
        mode: int,
        group: int = -1,
        backlog: int = 1000,
    ) -> None:
        self._loop = loop
        self._path = path
        self._accepted = accepted
        self._sock = _bind(path, mode, group)
        self._identity = _file_identity(path)
        self._sock.listen(backlog)
        self._listening = False
        self._closed = False

    def resume(self) -> None:
        if not self._listening and not self._closed:
            self._listening = True
            self._loop.add_reader(self._sock.fileno(), self._on_readable)

    def pause(self) -> None:
        if self._listening:
            self._listening = False
            self._loop.remove_reader(self._sock.fileno())

    def _on_readable(self) -> None:
        for _ in range(ACCEPT_BATCH):
            if not self._listening:
                return
            try:
                sock, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                log.warning("cannot accept a client on %s: %s; trying again", self._path, error.strerror)
                self.pause()
                self._loop.call_later(ACCEPT_RETRY, self.resume)
                return
            self._accepted(sock)

    def close(self) -> None:
        if self._closed:
            return
        self.pause()
        self._closed = True
        self._sock.close()
        # Another daemon may have put its own socket at this path since.
        if _file_identity(self._path) == self._identity:
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()


def _bind(path: Path, mode: int, group: int) -> socket.socket:
    """A socket at `path`, replacing what a daemon that was killed left there."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    # Nobody may connect before owner and mode are right.
    umask = os.umask(0o777)
    try:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        sock.bind(str(path))
        if group != -1:
            os.chown(path, -1, group)
        path.chmod(mode)
    except OSError as error:
        sock.close()
        raise SystemCallError(
            f"cannot listen on {path}: {error.strerror or error}",
            int1=error.errno or -1,
            hint="a socket path has at most 107 bytes, and its directory must be writable",
        ) from error
    finally:
        os.umask(umask)
    return sock


def _file_identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
