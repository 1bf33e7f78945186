"""Typed parameters as text."""

from __future__ import annotations

from roost.constants import typed_params as kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.client.records import TypedParam


def show(param: TypedParam) -> str:
    """The parameter's value as virsh prints it."""
    kind, value = param.value
    if kind == kinds.BOOLEAN:
        return "yes" if value else "no"
    if kind == kinds.DOUBLE:
        return f"{value:f}"
    return str(value)
