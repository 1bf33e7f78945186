"""From a call to its reply. The only place where an exception becomes a wire error."""

from __future__ import annotations

import logging
import os
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from roost.errors import From, InternalError, NoSupport, OperationDenied, RoostError, RpcError
from roost.protocol import Procedure, Program
from roost.rpc import access
from roost.rpc.routes import Row, Values
from roost.rpc.streams import Key
from roost.wire import CallReceived, reply, reply_error
from roost.wire.framing import OK

if TYPE_CHECKING:
    from roost.rpc.session import Session

log = logging.getLogger(__name__)


class Route:
    """A procedure with its row, and what the gates ask about it, worked out once."""

    __slots__ = ("family", "procedure", "row")

    def __init__(self, procedure: Procedure, row: Row) -> None:
        self.procedure = procedure
        self.row = row
        self.family = access.family(procedure.api)


class Dispatcher:
    """Serves the calls of the programs given.

    tables: program to its rows; a procedure without one answers NO_SUPPORT.
    """

    def __init__(self, tables: Mapping[Program, Iterable[Row]]) -> None:
        self._programs = {program.number: program for program in tables}
        self._rows: dict[int, dict[str, Row]] = {}
        for program, rows in tables.items():
            by_name = self._rows[program.number] = {}
            for row in rows:
                if row.name in by_name:
                    raise ValueError(f"{program.name} has two rows for {row.name}")
                by_name[row.name] = row
        self._routes: dict[tuple[int, int], Route] = {}

    def dispatch(self, session: Session, call: CallReceived) -> None:
        """Answer at once, or start the task that will."""
        route = None
        files = call.fds
        try:
            route = self._routes.get((call.program, call.procedure))
            if route is None or call.status != OK or call.version != 1:
                route = self._find(call)
            value = self._serve(session, route, call)
            if type(value) is CoroutineType:
                if route.row.takes_files:
                    files = ()  # closed when it has used them
                session.run(self._finish(session, route, call, value))
            else:
                self._reply(session, route, call, value)
        except Exception as error:
            self._refuse(session, route, call, error)
        finally:
            if files:
                _close(files)

    def _find(self, call: CallReceived) -> Route:
        program = self._programs.get(call.program)
        if program is None or program.version != call.version:
            raise RpcError(f"Cannot find program {call.program} version {call.version}", domain=From.RPC)
        if call.status != OK:
            raise RpcError(f"Unexpected message status {call.status}", domain=From.RPC)
        procedure = program.by_number.get(call.procedure)
        if procedure is None or procedure.is_event:
            raise RpcError(f"unknown procedure: {call.procedure}", domain=From.RPC)
        row = self._rows[program.number].get(procedure.name) or _unserved(procedure)
        route = self._routes[call.program, call.procedure] = Route(procedure, row)
        return route

    def _serve(self, session: Session, route: Route, call: CallReceived) -> Any:
        row = route.row
        if not session.authenticated and not row.before_auth:
            raise RpcError("authentication required", domain=From.RPC)
        arguments = route.procedure.args
        values: Values = arguments.decode(call.payload) if arguments is not None else ()
        if session.opened is None and not row.before_open:
            raise InternalError(route.family.not_open, domain=From.RPC)
        if session.readonly:
            if route.procedure.writes:
                raise OperationDenied(access.prevented(route.procedure.api), domain=route.family.error_domain)
            if row.guard is not None and (reason := row.guard(values)) is not None:
                raise OperationDenied(reason, domain=route.family.error_domain)
        if row.takes_files:
            values = (*values, call.fds)
        return row.serve(session, values)

    async def _finish(
        self, session: Session, route: Route, call: CallReceived, waiting: Coroutine[Any, Any, Any]
    ) -> None:
        try:
            self._reply(session, route, call, await waiting)
        except Exception as error:
            self._refuse(session, route, call, error)
        finally:
            if route.row.takes_files:
                _close(call.fds)

    def _reply(self, session: Session, route: Route, call: CallReceived, value: Any) -> None:
        row = route.row
        result = route.procedure.ret
        if row.gives_files:
            values, files = row.result(value)
            payload = result.encode(values) if result is not None else b""
            session.send_files(reply(call, payload, len(files)), files)
            return
        payload = result.encode(row.result(value)) if result is not None else b""
        session.send(reply(call, payload))
        if row.opens_stream:
            session.streams.open(Key(call.program, call.version, call.procedure, call.serial), value)

    def _refuse(self, session: Session, route: Route | None, call: CallReceived, error: Exception) -> None:
        if isinstance(error, RoostError):
            refusal = error
        else:
            name = route.procedure.name if route is not None else f"procedure {call.procedure}"
            log.error("%s failed unexpectedly", name, exc_info=error)
            refusal = InternalError(f"{name} failed: {type(error).__name__}: {error}", domain=From.RPC)
        session.send(reply_error(call, _complete(refusal, session, route)))


def _close(files: Sequence[int]) -> None:
    for descriptor in files:
        os.close(descriptor)


def _complete(error: RoostError, session: Session, route: Route | None) -> RoostError:
    """Fill in what only the front desk knows: the API's name and the domain."""
    if route is not None and isinstance(error, NoSupport) and not error.detail:
        return NoSupport(route.procedure.api, domain=route.family.error_domain)
    if error.domain is None:
        error.domain = session.error_domain
    return error


def _unserved(procedure: Procedure) -> Row:
    def serve(session: Session, values: Values) -> Any:
        raise NoSupport

    return Row(procedure.name, serve, tuple)
