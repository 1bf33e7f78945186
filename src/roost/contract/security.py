"""Labels that keep domains apart, and memory that the host cannot read."""

from __future__ import annotations

from collections.abc import Sequence

from roost.contract.interface import Interface, optional
from roost.contract.references import DomainIdentity
from roost.contract.typed_params import TypedParam


class Security(Interface):
    """What protects a domain."""

    @optional
    def labels(self, domain: DomainIdentity) -> Sequence[tuple[str, bool]]:
        """(label, enforcing) of each security model, the main one first; none of a domain that does not run."""
        raise NotImplementedError

    @optional
    async def launch_info(self, domain: DomainIdentity, flags: int) -> Sequence[TypedParam]:
        """constants.domain.LAUNCH_SECURITY_*: what proves that the guest's memory was encrypted; nothing without."""
        raise NotImplementedError

    @optional
    async def set_launch_state(self, domain: DomainIdentity, params: Sequence[TypedParam], flags: int) -> None:
        """Put a secret into the encrypted memory of a domain that has not run yet."""
        raise NotImplementedError
