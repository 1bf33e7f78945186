"""The shape of the handler tables: one row a procedure."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from roost.contract.interface import Interface

if TYPE_CHECKING:
    from roost.rpc.session import Session

Values = Sequence[Any]

#: Serves a call: (session, decoded arguments) to a value, or to a coroutine when it must wait.
Serve = Callable[["Session", Values], Any]


class Row(NamedTuple):
    """How one procedure is served.

    result: makes the values of the result record from what `serve` gave.
    guard: refuses a call on a read-only connection by its arguments; it gets
        the decoded arguments and answers the reason, None when all is well.
    opens_stream: the value is a ByteStream; its packets follow the reply.
    takes_files: the descriptors that came with the call are its last argument;
        they are closed when it has been answered.
    gives_files: `result` makes a pair, the values and the descriptors that go
        along with them, which are closed when they are sent.
    before_auth, before_open: served to a client that has not come so far.
    """

    name: str
    serve: Serve
    result: Callable[[Any], Values]
    guard: Callable[[Values], str | None] | None = None
    opens_stream: bool = False
    takes_files: bool = False
    gives_files: bool = False
    before_auth: bool = False
    before_open: bool = False


def nothing(_: object) -> Values:
    """For a void result."""
    return ()


def one(value: object) -> Values:
    """For a result record of one field."""
    return (value,)


def fields(value: Values) -> Values:
    """For a value that has the fields of the result record, in their order."""
    return value


def counted(found: Sequence[Any], need_results: int) -> Values:
    """For a result record of a list and its length; the list stays empty for who wants the length alone."""
    return found if need_results else (), len(found)


def number(value: bool | int) -> Values:
    """For a truth value or count in a result record of one int."""
    return (int(value),)


def row(
    name: str,
    interface: type[Interface],
    method: str,
    result: Callable[[Any], Values],
    arguments: Callable[[Values], Values] | None = None,
    *,
    guard: Callable[[Values], str | None] | None = None,
    opens_stream: bool = False,
    takes_files: bool = False,
    gives_files: bool = False,
) -> Row:
    """A procedure that is one method of the contract.

    arguments: the method's arguments from the decoded ones; None passes them on.
    """
    if inspect.getattr_static(interface, method, None) is None:
        raise TypeError(f"{name}: {interface.__name__} has no method {method}")

    if arguments is None:

        def serve(session: Session, values: Values) -> Any:
            return getattr(session.backend.get(interface), method)(*values)

    else:

        def serve(session: Session, values: Values) -> Any:
            return getattr(session.backend.get(interface), method)(*arguments(values))

    return Row(name, serve, result, guard, opens_stream, takes_files, gives_files)


def no_flags(values: Values) -> Values:
    """The arguments of a procedure that lacks the flags its method takes."""
    return (*values, 0)
