"""Virtual processors and I/O threads, added and taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.constants import domain as D
from roost.contract.agent import GuestAgent
from roost.contract.vcpus import Vcpus
from roost.rpc.routes import Row, Values, nothing, row

if TYPE_CHECKING:
    from roost.rpc.session import Session


def _live(values: Values) -> Values:
    return (*values, D.AFFECT_LIVE)


async def _set_count(session: Session, values: Values) -> None:
    """What only the guest itself can do, its agent is asked."""
    domain, count, flags = values
    if flags & D.VCPU_GUEST:
        await session.backend.get(GuestAgent).set_vcpu_count(domain, count, flags)
    else:
        await session.backend.get(Vcpus).set_count(domain, count, flags)


ROWS = (
    row("DOMAIN_SET_VCPUS", Vcpus, "set_count", nothing, _live),
    Row("DOMAIN_SET_VCPUS_FLAGS", _set_count, nothing),
    row("DOMAIN_SET_VCPU", Vcpus, "set_one", nothing),
    row("DOMAIN_ADD_IOTHREAD", Vcpus, "add_iothread", nothing),
    row("DOMAIN_DEL_IOTHREAD", Vcpus, "delete_iothread", nothing),
    row("DOMAIN_SET_IOTHREAD_PARAMS", Vcpus, "set_iothread", nothing),
)
