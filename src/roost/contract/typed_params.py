"""Typed parameters: libvirt's list of named, typed values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from roost.constants import typed_params as T
from roost.errors import ArgumentUnsupported, From, InvalidArg


class TypedParam(NamedTuple):
    """value: (type, value), the type one of constants.typed_params."""

    field: str
    value: tuple[int, int | float | str]


def int_(field: str, value: int) -> TypedParam:
    return TypedParam(field, (T.INT, value))


def uint(field: str, value: int) -> TypedParam:
    return TypedParam(field, (T.UINT, value))


def llong(field: str, value: int) -> TypedParam:
    return TypedParam(field, (T.LLONG, value))


def ullong(field: str, value: int) -> TypedParam:
    return TypedParam(field, (T.ULLONG, value))


def double(field: str, value: float) -> TypedParam:
    return TypedParam(field, (T.DOUBLE, value))


def boolean(field: str, value: bool) -> TypedParam:
    return TypedParam(field, (T.BOOLEAN, int(value)))


def string(field: str, value: str) -> TypedParam:
    return TypedParam(field, (T.STRING, value))


_KINDS = ("unknown", "int", "uint", "llong", "ullong", "double", "boolean", "string")


def checked(params: Sequence[TypedParam], allowed: Mapping[str, int]) -> dict[str, Any]:
    """The values by name. allowed: the type of each name. Raises InvalidArg and ArgumentUnsupported."""
    found: dict[str, Any] = {}
    for field, (kind, value) in params:
        if field not in allowed:
            hint = f"there are {', '.join(allowed)}"
            raise ArgumentUnsupported(f"parameter '{field}' not supported", domain=From.NONE, hint=hint)
        if field in found:
            raise InvalidArg(f"parameter '{field}' occurs multiple times", domain=From.NONE)
        if kind != allowed[field]:
            text = f"invalid type '{_KINDS[kind]}' for parameter '{field}', expected '{_KINDS[allowed[field]]}'"
            raise InvalidArg(text, domain=From.NONE)
        found[field] = value
    return found
