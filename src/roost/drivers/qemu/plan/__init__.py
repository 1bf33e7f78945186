"""From a domain document to a QEMU launch: dry, data in, data out.

`needs` lists what the host must provide, `argv` makes the command line from
the document and what was granted. Each class of device has a file whose
functions give `Piece`s; the command line and hotplug render the same pieces.
No files, sockets, clock or processes may enter.
"""

from roost.drivers.qemu.plan.caps import Capabilities, Machine
from roost.drivers.qemu.plan.hotplug import Command, device_add, undo
from roost.drivers.qemu.plan.launch import Launch, argv, needs
from roost.drivers.qemu.plan.pieces import Piece, render
from roost.drivers.qemu.plan.resources import (
    File,
    Grants,
    Listener,
    Log,
    Made,
    Needs,
    Port,
    ReservationsHelper,
    Secret,
    SoftwareTpm,
    Tap,
    VhostVsock,
    VirtioFs,
)
from roost.drivers.qemu.plan.settings import settings

__all__ = [
    "Capabilities", "Command", "File", "Grants", "Launch", "Listener", "Log", "Machine", "Made", "Needs", "Piece",
    "Port", "ReservationsHelper", "Secret", "SoftwareTpm", "Tap", "VhostVsock", "VirtioFs", "argv", "device_add",
    "needs", "render", "settings", "undo",
]  # fmt: skip
