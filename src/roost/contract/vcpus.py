"""Virtual processors and I/O threads of a domain, added and taken away."""

from __future__ import annotations

from collections.abc import Sequence

from roost.contract.interface import Interface, optional
from roost.contract.references import DomainIdentity
from roost.contract.typed_params import TypedParam


class Vcpus(Interface):
    """flags: constants.domain.AFFECT_*, and for `set_count` VCPU_MAXIMUM and VCPU_HOTPLUGGABLE."""

    @optional
    async def set_count(self, domain: DomainIdentity, count: int, flags: int) -> None:
        """How many processors there are, or can be."""
        raise NotImplementedError

    @optional
    async def set_one(self, domain: DomainIdentity, vcpus: str, state: int, flags: int) -> None:
        """vcpus: a list of numbers such as `2-3`, together one entity to be plugged. state: 1 in, 0 out."""
        raise NotImplementedError

    @optional
    async def add_iothread(self, domain: DomainIdentity, id: int, flags: int) -> None:
        raise NotImplementedError

    @optional
    async def delete_iothread(self, domain: DomainIdentity, id: int, flags: int) -> None:
        raise NotImplementedError

    @optional
    async def set_iothread(self, domain: DomainIdentity, id: int, params: Sequence[TypedParam], flags: int) -> None:
        """params: constants.domain.IOTHREAD_*."""
        raise NotImplementedError
