"""The keepalive program: messages without arguments, sent and answered by the connection itself."""

from __future__ import annotations

from roost.protocol.procedure import Procedure

PROCEDURES = (
    Procedure(1, "PING"),
    Procedure(2, "PONG"),
)
