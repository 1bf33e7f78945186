"""qemu-argv: the command line that a domain document means, and the document that a command line describes."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable

from roost.contract import flags as F
from roost.contract.translation import Translation
from roost.drivers.qemu import live as L
from roost.drivers.qemu import native, plan
from roost.drivers.qemu.context import Context
from roost.drivers.qemu.launch import environment
from roost.errors import From, InvalidArg
from roost.model.domain import Domain, format, parse

FORMAT = "qemu-argv"
#: What a domain that does not run is called where its number is asked for.
_NO_ID = -1


class QemuTranslation(Translation):
    """contract.Translation. complete: what makes a whole document of one that a user wrote."""

    def __init__(self, context: Context, complete: Callable[[Domain], Awaitable[Domain]]) -> None:
        self._context = context
        self._complete = complete

    async def to_native(self, format: str, xml: str, flags: int) -> str:
        F.check(flags, 0, "qemuConnectDomainXMLToNative", From.QEMU)
        _check_format(format)
        document = await self._complete(parse(xml))
        context = self._context
        caps = await context.capabilities.get(document.devices.emulator or "")
        directory = context.paths.guest(_NO_ID, document.name)
        live = L.make_live(document, _NO_ID, directory)
        monitor = str(context.paths.monitor(_NO_ID, document.name))
        launch = plan.argv(live, caps, plan.Grants(monitor_path=monitor))
        env = environment(directory) | dict(launch.env)
        return " ".join([f"{name}={shlex.quote(value)}" for name, value in env.items()] + [shlex.join(launch.argv)])

    async def from_native(self, format: str, config: str, flags: int) -> str:
        F.check(flags, 0, "qemuConnectDomainXMLFromNative", From.QEMU)
        _check_format(format)
        return _shown(await self._complete(native.parse(config)))


def _shown(document: Domain) -> str:
    return format(document)


def _check_format(format: str) -> None:
    if format != FORMAT:
        raise InvalidArg(f"unsupported config type {format}", domain=From.QEMU, hint=f"this driver knows '{FORMAT}'")
