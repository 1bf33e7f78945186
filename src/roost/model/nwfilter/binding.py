"""A filter at work on a guest's interface: <filterbinding>."""

from __future__ import annotations

from typing import Annotated

from msgspec.structs import replace

from roost.errors import From, InternalError
from roost.model.shared.filterref import FilterRef, complete_filterref
from roost.xml import Complaint, Mac, Record, Uuid, at


def _complaint(text: str) -> Complaint:
    return Complaint(InternalError, text, domain=From.NWFILTER)


class LinkDevice(Record):
    """The device that the guest's interface leads to."""

    name: Annotated[str, at("@name", missing=_complaint("filter binding has no link dev name"))]


class BoundFilter(FilterRef):
    """The filter, with the values that its variables have for this guest."""

    filter: Annotated[str, at("@filter", missing=_complaint("filter binding has no filter reference"))]


class FilterBinding(Record):
    """portdev: the guest's end on the host. linkdev: the device that it leads to."""

    owner_name: Annotated[str, at("owner/name", missing=_complaint("filter binding has no owner name"))]
    owner_uuid: Annotated[
        Uuid,
        at("owner/uuid", missing=_complaint("filter binding has no owner UUID"),
           wrong=_complaint("Unable to parse UUID '%s'")),
    ]  # fmt: skip
    portdev: Annotated[str, at("portdev/@name", missing=_complaint("filter binding has no port dev name"))]
    linkdev: Annotated[LinkDevice | None, at("linkdev")] = None
    mac: Annotated[
        Mac,
        at("mac/@address", missing=_complaint("filter binding has no MAC address"),
           wrong=_complaint("Unable to parse MAC '%s'")),
    ]  # fmt: skip
    filterref: Annotated[BoundFilter, at("filterref", missing=_complaint("filter binding has no filter reference"))]


def complete_binding(binding: FilterBinding) -> FilterBinding:
    """The binding as it will be kept and shown."""
    return replace(binding, filterref=complete_filterref(binding.filterref))


__all__ = ["BoundFilter", "FilterBinding", "LinkDevice", "complete_binding"]
