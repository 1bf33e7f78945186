"""The base of all driver interfaces, and the bundle of them that a URI opens."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from roost.contract.events import EventSource
from roost.errors import NoSupport

P = ParamSpec("P")
R = TypeVar("R")
I = TypeVar("I", bound="Interface")  # noqa: E741 - I for interface, local to this file


def optional(method: Callable[P, R]) -> Callable[P, R]:
    """Give an interface method its default: it raises NoSupport.

    The dispatcher adds the public API's name to the message, so drivers never
    write a refusal of their own.
    """

    @functools.wraps(method)
    def unsupported(*args: P.args, **kwargs: P.kwargs) -> R:
        raise NoSupport

    async def unsupported_async(*args: P.args, **kwargs: P.kwargs) -> Any:
        raise NoSupport

    default: Any = unsupported
    if inspect.iscoroutinefunction(method):
        default = functools.wraps(method)(unsupported_async)
    default.is_unsupported = True
    return default  # type: ignore[no-any-return]


class Interface:
    """One concern of a driver. Subclasses declare methods marked `optional`."""

    @classmethod
    def supports(cls, method: str) -> bool:
        """Whether this class overrides `method` of its interface."""
        return not getattr(getattr(cls, method), "is_unsupported", False)


class Backend:
    """What an open URI reaches: one object per interface.

    name: what clients see (`QEMU`, `TEST`).
    uri: the canonical URI, without transport, host and query.
    error_domain: one of errors.From, for errors raised without a domain.
    interfaces: interface class -> object that implements it. An interface left
        out answers NO_SUPPORT for all its methods.
    events: where the backend publishes; None when it never does.
    """

    def __init__(
        self,
        name: str,
        uri: str,
        error_domain: int,
        interfaces: Mapping[type[Interface], Interface],
        events: EventSource | None = None,
    ) -> None:
        self.name = name
        self.uri = uri
        self.error_domain = error_domain
        self.events = events
        self._interfaces: dict[type[Interface], Interface] = dict(interfaces)

    def get(self, kind: type[I]) -> I:
        """The object serving `kind`; a stand-in that refuses everything where there is none."""
        found = self._interfaces.get(kind)
        if found is None:
            found = self._interfaces[kind] = kind()
        return found  # type: ignore[return-value]
