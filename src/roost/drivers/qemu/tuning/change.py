"""One change of what bounds a domain: the running guest, its live document, its definition, and the event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

from roost.constants import domain_events as E
from roost.contract.references import DomainIdentity
from roost.contract.typed_params import TypedParam
from roost.drivers.qemu.context import Context, require_guest
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.engine.affect import affected
from roost.engine.definitions import redefine
from roost.errors import From, OperationInvalid
from roost.model.domain import Domain

Edit = Callable[[Domain], Domain]


class Change(NamedTuple):
    """edit: what becomes of a document; it may refuse. config: the same of the definition, where it differs.

    act: what is done to the running guest first, off the loop, for it may wait for the kernel or a program.
    event: what subscribers are told of the running guest; () for nothing.
    """

    edit: Edit
    act: Callable[[Guest, Domain], None]
    event: Sequence[TypedParam] = ()
    config: Edit | None = None


async def change(context: Context, domain: DomainIdentity, flags: int, plan: Change) -> None:
    """Carry it out in a job. Raises what refuses it; the definition stays when the guest refuses."""
    record = context.table.get(domain)
    async with record.job("tune"):
        live, config = affected(record, flags)
        running = require_live(record) if live else None
        if running is not None:
            plan.edit(running[1])
        definition = (plan.config or plan.edit)(record.config) if config else None
        if running is not None:
            guest, document = running
            await asyncio.to_thread(plan.act, guest, document)
            if record.runtime is not guest or record.live is None:
                raise OperationInvalid("domain is not running", domain=From.QEMU)
            record.live = plan.edit(record.live)
            context.save_changed(record)
            if plan.event:
                context.publish(record, E.ID_TUNABLE, plan.event)
        if definition is not None:
            await save_definition(context, record, definition)


def require_live(record: GuestRecord) -> tuple[Guest, Domain]:
    """The guest and its document. Raises OperationInvalid for a domain that does not run."""
    guest, live = require_guest(record), record.live
    if live is None:
        raise OperationInvalid("domain is not running", domain=From.QEMU)
    return guest, live


async def save_definition(context: Context, record: GuestRecord, document: Domain) -> None:
    """Replace the definition, on disk first."""
    async with context.store.lock:
        await redefine(context.store, record, document)


__all__ = ["Change", "change", "require_live", "save_definition"]
