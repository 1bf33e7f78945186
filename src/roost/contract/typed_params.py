"""Typed parameters: libvirt's list of named, typed values."""

from __future__ import annotations

from typing import NamedTuple

from roost.constants import typed_params as T


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
