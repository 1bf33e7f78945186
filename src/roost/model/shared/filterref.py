"""A filter that applies, with values for its variables: <filterref>."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec.structs import replace

from roost.xml import Record, at

NAME = re.compile(r"[a-zA-Z0-9_]*\Z")
_VALUE = re.compile(r"[a-zA-Z0-9_.:]+\Z")


class FilterParameter(Record):
    """A variable's value; of several with one name the values are a list."""

    name: str | None = None
    value: str | None = None


class FilterRef(Record):
    """A filter by name, and values for its variables."""

    filter: str
    parameters: Annotated[tuple[FilterParameter, ...], at("parameter")] = ()


def complete_parameters(parameters: tuple[FilterParameter, ...]) -> tuple[FilterParameter, ...]:
    """As libvirt keeps them: those it cannot read are forgotten, the others sorted by name."""
    known = [p for p in parameters if p.name is not None and NAME.match(p.name) and _VALUE.match(p.value or "")]
    return tuple(sorted(known, key=lambda parameter: parameter.name or ""))


def complete_filterref(reference: FilterRef) -> FilterRef:
    """The reference with its parameters as libvirt keeps them."""
    return replace(reference, parameters=complete_parameters(reference.parameters))


__all__ = ["NAME", "FilterParameter", "FilterRef", "complete_filterref", "complete_parameters"]
