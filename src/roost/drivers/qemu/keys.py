"""Keys that clients press, and interrupts that they send."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from roost.constants import keys as K
from roost.contract import flags as F
from roost.contract.input import Input
from roost.contract.references import DomainIdentity
from roost.drivers.qemu.context import Context, require_monitor
from roost.errors import From, InternalError, InvalidArg

#: Keys that one call may press.
MAX_KEYS = 16


@functools.cache
def _numbers(codeset: int) -> Mapping[int, int]:
    return K.numbers(codeset)


def translate(codeset: int, keys: Sequence[int]) -> list[int]:
    """QEMU's numbers of keys. Raises InvalidArg for the codeset, InternalError for a key."""
    if codeset >= len(K.CODESETS):
        known = ", ".join(f"{number} {name}" for number, name in enumerate(K.CODESETS))
        raise InvalidArg(f"Unsupported codeset '{codeset}'", domain=From.DOMAIN, verbatim=True, hint=known)
    numbers, found = _numbers(codeset), []
    for key in keys:
        # Clients that speak QEMU's own numbers may know keys that no table has.
        number = key if K.CODESETS[codeset] == "qnum" else numbers.get(key)
        if number is None:
            raise InternalError(
                f"cannot translate keycode {key} of {K.CODESETS[codeset]} codeset to qnum keycode",
                domain=From.QEMU,
                hint="a PC keyboard has no such key",
            )
        found.append(number)
    return found


def send_key(numbers: Sequence[int], hold: int) -> Mapping[str, Any]:
    """The arguments of QEMU's command."""
    arguments: dict[str, Any] = {"keys": [{"type": "number", "data": number} for number in numbers]}
    return arguments | ({"hold-time": hold} if hold else {})


class QemuInput(Input):
    """contract.Input. The record stays as it is, so no job is taken: a guest that one holds up still hears keys."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def send_key(self, domain: DomainIdentity, codeset: int, hold: int, keys: Sequence[int], flags: int) -> None:
        F.check(flags, 0, "qemuDomainSendKey", From.QEMU)
        if len(keys) > MAX_KEYS:
            raise InvalidArg(
                f"nkeycodes in virDomainSendKey must be less than or equal to {MAX_KEYS}", domain=From.DOMAIN
            )
        arguments = send_key(translate(codeset, keys), hold)
        record = self._context.table.get_active(domain)
        await require_monitor(record).execute("send-key", arguments)

    async def inject_nmi(self, domain: DomainIdentity, flags: int) -> None:
        F.check(flags, 0, "qemuDomainInjectNMI", From.QEMU)
        record = self._context.table.get_active(domain)
        await require_monitor(record).execute("inject-nmi")
