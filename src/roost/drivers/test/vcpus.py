"""Processors and I/O threads that come and go in documents alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from roost.constants import domain as D
from roost.constants import typed_params as T
from roost.contract import flags as F
from roost.contract.references import DomainIdentity
from roost.contract.typed_params import TypedParam, checked
from roost.contract.vcpus import Vcpus
from roost.drivers.test.changes import change, change_one
from roost.drivers.test.node import MAX_VCPUS
from roost.drivers.test.world import World
from roost.engine.affect import choose
from roost.engine.edits import iothreads, processors
from roost.errors import From, InvalidArg
from roost.model.domain import Domain

_AFFECT = D.AFFECT_LIVE | D.AFFECT_CONFIG
_CONFIG = (D.VCPU_CONFIG, "VIR_DOMAIN_AFFECT_CONFIG")
_MAXIMUM = (D.VCPU_MAXIMUM, "VIR_DOMAIN_VCPU_MAXIMUM")

#: What can be set of a thread, and the types of that.
POLLING: Mapping[str, int] = {
    D.IOTHREAD_POLL_MAX_NS: T.ULLONG, D.IOTHREAD_POLL_GROW: T.UINT, D.IOTHREAD_POLL_SHRINK: T.UINT,
}  # fmt: skip


class TestVcpus(Vcpus):
    """contract.Vcpus."""

    __test__ = False

    def __init__(self, world: World) -> None:
        self._world = world

    async def set_count(self, domain: DomainIdentity, count: int, flags: int) -> None:
        F.require(flags, _MAXIMUM, _CONFIG)
        F.check(flags, _AFFECT | D.VCPU_MAXIMUM, "testDomainSetVcpusFlags", From.TEST)
        if count > MAX_VCPUS:
            text = f"requested cpu amount exceeds maximum supported amount ({count} > {MAX_VCPUS})"
            raise InvalidArg(text, domain=From.TEST)

        def edit(document: Domain) -> Domain:
            most = processors.maximum(document)
            if count > most:
                raise InvalidArg(f"requested cpu amount exceeds maximum ({count} > {most})", domain=From.TEST)
            return processors.with_count(document, count, hotpluggable=False)

        def edit_maximum(document: Domain) -> Domain:
            return processors.with_maximum(document, count)

        await change(self._world, domain, flags, edit, edit_maximum if flags & D.VCPU_MAXIMUM else edit)

    async def add_iothread(self, domain: DomainIdentity, id: int, flags: int) -> None:
        F.check(flags, _AFFECT, "testDomainAddIOThread", From.TEST)
        _check_id(id)
        await change_one(self._world, domain, flags, lambda document: iothreads.added(document, id))

    async def delete_iothread(self, domain: DomainIdentity, id: int, flags: int) -> None:
        F.check(flags, _AFFECT, "testDomainDelIOThread", From.TEST)
        _check_id(id)
        await change_one(self._world, domain, flags, lambda document: iothreads.removed(document, id))
        self._world.polling.pop((domain.uuid, id), None)

    async def set_iothread(self, domain: DomainIdentity, id: int, params: Sequence[TypedParam], flags: int) -> None:
        F.check(flags, D.AFFECT_LIVE, "testDomainSetIOThreadParams", From.TEST)
        _check_id(id)
        threads = iothreads.listed(choose(self._world.table.get(domain), flags))
        if all(thread.id != id for thread in threads):
            text = f"cannot find IOThread '{id}' in iothreadids"
            raise InvalidArg(text, domain=From.TEST, hint=iothreads.known(threads))
        self._world.polling.setdefault((domain.uuid, id), {}).update(checked(params, POLLING))


def _check_id(id: int) -> None:
    if not id:
        raise InvalidArg("invalid value of 0 for iothread_id", domain=From.TEST)


__all__ = ["POLLING", "TestVcpus"]
