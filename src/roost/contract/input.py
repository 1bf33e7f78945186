"""What a person does at a machine: keys, and the button that interrupts it."""

from __future__ import annotations

from collections.abc import Sequence

from roost.contract.interface import Interface, optional
from roost.contract.references import DomainIdentity


class Input(Interface):
    """Input of a running domain."""

    @optional
    async def send_key(self, domain: DomainIdentity, codeset: int, hold: int, keys: Sequence[int], flags: int) -> None:
        """Press keys together and let them go. codeset: constants.keycodes.SET_*. hold: milliseconds; 0: as usual.

        Raises InvalidArg for a codeset nobody knows, InternalError for a number that is no key of it.
        """
        raise NotImplementedError

    @optional
    async def inject_nmi(self, domain: DomainIdentity, flags: int) -> None:
        """An interrupt that the guest cannot mask."""
        raise NotImplementedError

    @optional
    async def send_process_signal(self, domain: DomainIdentity, pid: int, signal: int, flags: int) -> None:
        """A signal to a process inside the domain. Needs a hypervisor that sees those."""
        raise NotImplementedError
