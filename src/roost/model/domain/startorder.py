"""When a domain starts with the host: `<start xmlns='urn:roost:start:1'>` in its <metadata>.

libvirt has no words for it, and keeps the metadata of others as they are.
"""

from __future__ import annotations

from typing import Annotated

from roost.model.domain.domain import Domain
from roost.xml import Record, UInt, at, fragments, parse_document

NAMESPACE = "urn:roost:start:1"


class Needed(Record):
    """Another domain, by its name, that must run before."""

    domain: Annotated[str, at("@domain")]


class StartOrder(Record):
    """order: those with a smaller one start first, those without one last.

    delay: seconds that pass after its start before the next domain starts.
    """

    order: UInt | None = None
    delay: UInt | None = None
    needs: Annotated[tuple[Needed, ...], at("needs")] = ()


def start_order(domain: Domain) -> StartOrder:
    """What the domain's metadata say; nothing is said without. Raises RoostError for what cannot be read."""
    found = fragments.find(domain.metadata, NAMESPACE)
    return parse_document(found, StartOrder, "start", name="(start_order)") if found is not None else StartOrder()


__all__ = ["NAMESPACE", "Needed", "StartOrder", "start_order"]
