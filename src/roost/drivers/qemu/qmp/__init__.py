"""QEMU's machine protocol (QMP): messages, and a pipelined client on a unix socket.

`messages` is dry: bytes in, records out. `client` adds the socket, deadlines
and file descriptors; it works alike on asyncio's and uvloop's loops.
"""

from roost.drivers.qemu.qmp.client import QmpClient as QmpClient
from roost.drivers.qemu.qmp.messages import Event as Event
from roost.drivers.qemu.qmp.messages import QmpClosed as QmpClosed
from roost.drivers.qemu.qmp.messages import QmpCommandError as QmpCommandError

__all__ = ["Event", "QmpClient", "QmpClosed", "QmpCommandError"]
