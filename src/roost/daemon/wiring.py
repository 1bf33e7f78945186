"""Which drivers this daemon has, and how each is made."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from roost.daemon.directories import Directories
from roost.drivers.qemu.config import QemuConfig, read_config
from roost.drivers.qemu.driver import QemuDriver
from roost.drivers.qemu.paths import QemuPaths
from roost.drivers.test import TestDriver
from roost.errors import ConfigUnsupported
from roost.host.api import Account
from roost.host.linux import LinuxHost, find_account
from roost.rpc.backends import Opener

#: Accounts that distributions make for QEMU, and at last the one that owns nothing.
QEMU_ACCOUNTS = ("libvirt-qemu", "qemu", "nobody")


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
    where = place.directories
    config = read_config(where.etc / "qemu.conf")
    account = _qemu_account(config) if place.privileged else None
    driver = QemuDriver(
        QemuPaths.under(where.etc, where.run, where.lib, where.log, where.cache),
        config,
        LinuxHost(account),
        account=account,
        privileged=place.privileged,
    )
    return Driver(("qemu",), driver.open, driver)


def _qemu_account(config: QemuConfig) -> Account:
    """Whom guests run as under a daemon that is root."""
    if config.user:
        return find_account(config.user, config.group)
    for name in QEMU_ACCOUNTS:
        with contextlib.suppress(ConfigUnsupported):
            return find_account(name, config.group)
    raise ConfigUnsupported("there is no account to run guests as", hint="set 'user' in qemu.conf")


#: In the order in which they start; stopped in reverse.
FACTORIES: Sequence[Factory] = (_qemu, _test)


def default_uri(place: Place) -> str:
    """What a client without a URI of its own gets."""
    return "qemu:///system" if place.privileged else "qemu:///session"
