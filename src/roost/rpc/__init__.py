"""The front desk: listeners, sessions, authentication, access rules and dispatch.

Bytes come in through `transport`, become events in `wire`, meet the auth gate
and the read-only rules in `dispatch`, and reach a driver through the rows of
`handlers`: one row a procedure, naming the contract's interface and method.
What has no row, or no implementation behind it, answers NO_SUPPORT by itself.

Only `dispatch` turns an exception into a wire error. A handler that need not
wait is answered inside the receive callback; the others get a task.

Imports wire, protocol, model and contract; never a driver and never the engine.
"""
