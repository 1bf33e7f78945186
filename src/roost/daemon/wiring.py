"""Which drivers this daemon has, and how each is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from roost.daemon.directories import Directories
from roost.drivers.qemu.config import read_config
from roost.drivers.qemu.driver import QemuDriver
from roost.drivers.qemu.paths import QemuPaths
from roost.drivers.test import TestDriver
from roost.host.linux import LinuxHost, guest_account
from roost.rpc.backends import Opener


class Service(Protocol):
    """The part of a driver that lives as long as the daemon does."""

    async def start(self) -> None:
        """Find what an earlier daemon left: definitions, then running guests, then autostart."""
        ...

    async def stop(self) -> None:
        """Let go of guests without ending them."""
        ...

    @property
    def is_busy(self) -> bool:
        """Whether something runs that an idle exit would leave unattended."""
        ...


class Driver(NamedTuple):
    """schemes: the URI schemes it opens. service: None for a driver that keeps nothing."""

    schemes: Sequence[str]
    open: Opener
    service: Service | None = None


class Place(NamedTuple):
    """What a driver may know of the daemon it lives in."""

    directories: Directories
    privileged: bool


Factory = Callable[[Place], Driver]


def _test(place: Place) -> Driver:
    return Driver(("test",), TestDriver().open)


def _qemu(place: Place) -> Driver:
    own = place.directories
    config = read_config(own.etc / "qemu.conf")
    account = guest_account(config.user, config.group) if place.privileged else None
    paths = QemuPaths.under(own.etc, own.run, own.lib, own.log, own.cache)
    host = LinuxHost(account, config.controllers)
    driver = QemuDriver(paths, config, host, account=account, privileged=place.privileged)
    return Driver(("qemu",), driver.open, driver)


#: In the order in which they start; stopped in reverse.
FACTORIES: Sequence[Factory] = (_qemu, _test)


def default_uri(place: Place) -> str:
    """What a client without a URI of its own gets."""
    return "qemu:///system" if place.privileged else "qemu:///session"
