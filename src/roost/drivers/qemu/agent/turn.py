"""Asking a guest's agent: one caller at a time."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple, TypeVar

from roost.constants import domain as D
from roost.drivers.qemu.agent import answers as A
from roost.drivers.qemu.agent.messages import Answer, encode
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.errors import From, OperationInvalid
from roost.model.domain import Domain

T = TypeVar("T")


class Turn(NamedTuple):
    """A caller's turn with the agent of a running guest."""

    record: GuestRecord
    guest: Guest

    @property
    def live(self) -> Domain:
        """Raises OperationInvalid when the guest has ended or been paused since."""
        live = self.record.live
        if self.record.runtime is not self.guest or self.record.state != D.RUNNING or live is None:
            raise OperationInvalid("domain is not running", domain=From.QEMU)
        return live

    async def send(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        patience: int | None = None,
        event: str | None = None,
    ) -> Answer | None:
        """See AgentLink.ask."""
        return await self.guest.agent.ask(self.live, encode(name, arguments), name, patience=patience, event=event)

    async def ask(self, name: str, kind: type[T], arguments: Mapping[str, Any] | None = None) -> T:
        """The command's result, of type `kind`. Raises InternalError for another, and what AgentLink.ask raises."""
        answer = await self.send(name, arguments)
        assert answer is not None
        return A.read(answer, kind, name)


def guest_of(record: GuestRecord) -> Guest:
    """The guest of a running domain. Raises OperationInvalid when it is not, as libvirt looks for agents."""
    if record.runtime is None:
        raise OperationInvalid("domain is not running", domain=From.QEMU)
    return record.runtime


@contextlib.asynccontextmanager
async def turn(record: GuestRecord, purpose: str) -> AsyncIterator[Turn]:
    """Wait for the turn with the agent. purpose: `query` or `modify`, for who waits next.

    Raises OperationTimeout, OperationInvalid.
    """
    guest = guest_of(record)
    async with guest.agent.job(f"agent={purpose}"):
        taken = Turn(record, guest)
        guest.agent.require(taken.live)
        yield taken
