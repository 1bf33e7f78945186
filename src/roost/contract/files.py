"""Files that a client hands over open, for domains that name them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from roost.contract.interface import Interface, optional
from roost.contract.references import DomainIdentity


class Files(Interface):
    """Groups of descriptors by name, which <source fdgroup='…'/> refers to."""

    @optional
    def associate(self, domain: DomainIdentity, name: str, flags: int, files: Sequence[int]) -> Callable[[], None]:
        """Keep copies of the descriptors; a group of that name before them is forgotten.

        flags: constants.domain.FD_ASSOCIATE_*. The result forgets them: it is called when the client leaves.
        """
        raise NotImplementedError
