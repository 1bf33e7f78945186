"""Filter and binding documents in and out, as XML."""

from __future__ import annotations

from roost.errors import From
from roost.model.nwfilter.binding import FilterBinding
from roost.model.nwfilter.filter import Filter
from roost.xml import format_document, parse_document


def parse(xml: str | bytes, *, validate: bool = False) -> Filter:
    """The filter that a document describes, as it was written.

    validate: refuse what no field declares. Raises RoostError with libvirt's
    code; nothing else, whatever the bytes.
    """
    return parse_document(xml, Filter, "filter", name="(nwfilter_definition)", origin=From.NWFILTER, validate=validate)


def format(filter: Filter) -> str:
    """The document, laid out as libvirt does."""
    return format_document(filter, "filter")


def parse_binding(xml: str | bytes, *, validate: bool = False) -> FilterBinding:
    """The binding that a document describes, as it was written. Raises as `parse` does."""
    return parse_document(
        xml, FilterBinding, "filterbinding", name="(nwfilterbinding_definition)", origin=From.NWFILTER,
        validate=validate,
    )  # fmt: skip


def format_binding(binding: FilterBinding) -> str:
    """The binding's document, laid out as libvirt does."""
    return format_document(binding, "filterbinding")


__all__ = ["format", "format_binding", "parse", "parse_binding"]
