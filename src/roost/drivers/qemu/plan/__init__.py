"""From a domain document to a QEMU launch: dry, data in, data out.

`needs` lists what the host must provide, `argv` makes the command line from
the document and what was granted. Each class of device has a file whose
functions give `Piece`s; the command line and hotplug render the same pieces.
No files, sockets, clock or processes may enter.
"""

from roost.drivers.qemu.plan.caps import Capabilities, Machine
from roost.drivers.qemu.plan.hotplug import Command, Commands, device_add, disk_node, images_add, undo
from roost.drivers.qemu.plan.launch import Launch, argv, device_needs, needs
from roost.drivers.qemu.plan.pieces import Piece, render
from roost.drivers.qemu.plan.processors import late_processors, plug_processors
from roost.drivers.qemu.plan.reservations import uses_managed
from roost.drivers.qemu.plan.resources import (
    DisplaySettings,
    File,
    Grants,
    HostDevice,
    Listener,
    Log,
    Made,
    Needs,
    Opened,
    PageDirectory,
    Passt,
    Port,
    ReservationsHelper,
    Secret,
    SoftwareTpm,
    Switch,
    Tap,
    VhostVsock,
    VirtioFs,
)
from roost.drivers.qemu.plan.settings import passwords, settings

__all__ = [
    "Capabilities", "Command", "Commands", "DisplaySettings", "File", "Grants", "HostDevice", "Launch", "Listener",
    "Log", "Machine", "Made", "Needs", "Opened", "PageDirectory", "Passt", "Piece", "Port", "ReservationsHelper",
    "Secret", "SoftwareTpm", "Switch", "Tap", "VhostVsock", "VirtioFs",
    "argv", "device_add", "device_needs", "disk_node", "images_add", "late_processors", "needs", "passwords",
    "plug_processors", "render", "settings", "undo", "uses_managed",
]  # fmt: skip
