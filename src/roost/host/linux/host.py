"""The bundle of everything that Linux offers to drivers."""

from __future__ import annotations

from collections.abc import Collection

from roost.host.api import Account, Controller
from roost.host.linux.cgroups import LinuxControlGroups
from roost.host.linux.hardware import LinuxHardware
from roost.host.linux.network import LinuxNetwork
from roost.host.linux.node import LinuxNode
from roost.host.linux.ownership import FileOwnership
from roost.host.linux.perf import LinuxCounters
from roost.host.linux.processes import LinuxProcesses
from roost.host.linux.resctrl import LinuxResourceControl
from roost.host.linux.threads import LinuxThreads


class LinuxHost:
    """See host.api.Host. account: whom guests run as; None for the daemon's own user.

    controllers: those of control groups that are used; None for all.
    """

    def __init__(self, account: Account | None = None, controllers: Collection[Controller] | None = None) -> None:
        self.processes = LinuxProcesses()
        self.ownership = FileOwnership(account)
        self.network = LinuxNetwork()
        self.node = LinuxNode()
        self.hardware = LinuxHardware()
        self.groups = LinuxControlGroups(controllers=controllers)
        self.resource_control = LinuxResourceControl()
        self.threads = LinuxThreads()
        self.counters = LinuxCounters()
