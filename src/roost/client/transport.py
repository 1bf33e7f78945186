"""Reaching a daemon's socket, and what can go wrong there, in words."""

from __future__ import annotations

import _socket
import os

from roost.errors import From, SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from roost.client.uri import Address

_ENOENT, _EACCES, _ECONNREFUSED, _EPERM, _EIO = 2, 13, 111, 1, 5
_ABSENT = (_ENOENT, _ECONNREFUSED)


class ConnectionLost(SystemCallError):
    """The connection ended without being closed.

    reason: "eof" the daemon went away; "keepalive" it does not answer; "error" anything else.
    """

    def __init__(self, detail: str, reason: str, *, errno: int = _EIO, hint: str = "") -> None:
        super().__init__(detail, domain=From.RPC, int1=errno, hint=hint)
        self.reason = reason


def lost_by(error: OSError | None) -> ConnectionLost:
    """What a failed read, or one that found the end, means."""
    if error is None:
        return ConnectionLost("End of file while reading data: Input/output error", "eof")
    return ConnectionLost(f"Cannot recv data: {error.strerror}", "error", errno=error.errno or _EIO)


def dial(addresses: Sequence[Address]) -> _socket.socket:
    """Connect to the first address where a daemon listens.

    Raises SystemCallError with the path, the cause and the cure.
    """
    failures: list[tuple[Address, OSError]] = []
    for address in addresses:
        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        try:
            connection.connect(address.path)
        except OSError as error:
            connection.close()
            failures.append((address, error))
        else:
            return connection
    # A socket that exists but refuses us says more than those that are not there.
    address, failure = next((item for item in failures if item[1].errno not in _ABSENT), failures[0])
    others = [f"'{other.path}'" for other, _ in failures if other is not address]
    tried = f" (also tried {', '.join(others)})" if others else ""
    raise SystemCallError(
        f"Failed to connect socket to '{address.path}': {failure.strerror or failure}",
        domain=From.RPC,
        int1=failure.errno or 0,
        hint=_cure(address, failure.errno or 0) + tried,
    ) from None


def _cure(address: Address, errno: int) -> str:
    if errno == _ECONNREFUSED:
        return f"nobody listens there any more; {address.cure}"
    if errno in (_EACCES, _EPERM):
        return _permission_cure(address.path)
    return address.cure


def _permission_cure(path: str) -> str:
    """Who may use the socket, as far as it can be seen."""
    try:
        status = os.stat(path)
    except OSError:
        return "the directory of the socket is closed to this user; use qemu:///session, or become root"
    group = str(status.st_gid)
    if status.st_gid == 0 or not status.st_mode & 0o020:
        return "only root may use this socket; use qemu:///session for guests of your own, or become root"
    try:
        from grp import getgrgid

        group = getgrgid(status.st_gid).gr_name
    except (ImportError, KeyError):
        pass
    return f"the socket is for members of group '{group}': join it and log in again, or use qemu:///session"
