"""The wire: libvirt's RPC framing and XDR, sans-IO.

    connection = Connection(server=True)
    for event in connection.receive_data(data, fds):      # CallReceived, StreamReceived, PingReceived …
        args = procedure.args.decode(event.payload)        # DecodeError
        out = reply(event, procedure.ret.encode(result))   # EncodeError; or reply_error(event, error)

Sending is plain functions to bytes, in `framing`: call, reply, reply_error, event, ping, pong,
stream_data, stream_hole, stream_finish, stream_abort; `fd_pieces` follow a message with descriptors.
`types` are XDR shapes, `codec` runs them, `records` the cheap named tuples, `keepalive` a timer.
Enters: what every peer agrees on, whatever the procedure. Dry: no sockets, files, clock, asyncio.
Imports are cheap at run time (no typing, enum, re); `compiler` is imported by `codec` on demand.
"""

from __future__ import annotations

from roost.wire.codec import Codec
from roost.wire.connection import Connection
from roost.wire.errors import DecodeError, EncodeError, decode_error, encode_error
from roost.wire.events import (
    CallReceived,
    ConnectionBroken,
    Event,
    HoleReceived,
    MessageReceived,
    PingReceived,
    PongReceived,
    ReplyReceived,
    StreamReceived,
)
from roost.wire.framing import (
    call,
    event,
    fd_pieces,
    frame,
    ping,
    pong,
    reply,
    reply_error,
    stream_abort,
    stream_data,
    stream_finish,
    stream_hole,
)

__all__ = [
    "CallReceived",
    "Codec",
    "Connection",
    "ConnectionBroken",
    "DecodeError",
    "EncodeError",
    "Event",
    "HoleReceived",
    "MessageReceived",
    "PingReceived",
    "PongReceived",
    "ReplyReceived",
    "StreamReceived",
    "call",
    "decode_error",
    "encode_error",
    "event",
    "fd_pieces",
    "frame",
    "ping",
    "pong",
    "reply",
    "reply_error",
    "stream_abort",
    "stream_data",
    "stream_finish",
    "stream_hole",
]
