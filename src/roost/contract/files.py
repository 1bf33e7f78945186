"""Files that a client hands over open, for domains that name them or begin with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from roost.contract.interface import Interface, optional
from roost.contract.references import DomainIdentity, DomainRef


class Files(Interface):
    """Descriptors. The caller closes those it hands over when it has its answer."""

    @optional
    def associate(self, domain: DomainIdentity, name: str, flags: int, files: Sequence[int]) -> Callable[[], None]:
        """Keep copies of a group, which <source fdgroup='…'/> refers to; one of that name before it is forgotten.

        flags: constants.domain.FD_ASSOCIATE_*. The result forgets them: it is called when the client leaves.
        """
        raise NotImplementedError

    @optional
    async def create(self, domain: DomainIdentity, flags: int, files: Sequence[int]) -> DomainRef:
        """Start a defined domain, whose first process gets the descriptors."""
        raise NotImplementedError

    @optional
    async def create_xml(self, xml: str, flags: int, files: Sequence[int]) -> DomainRef:
        """The same of a domain from a document."""
        raise NotImplementedError
