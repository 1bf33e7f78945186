"""What is to be written to a monitor: in order, as its socket takes it, descriptors with their command's very bytes."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple


class _Parcel(NamedTuple):
    """command: whose descriptors they are; copies, for it may be given up before they are sent."""

    data: bytes
    descriptors: Sequence[int]
    command: object


class Outbox:
    """The writing half of a connection.

    QEMU keeps the descriptors that came last and gives them to the next command that wants some. As it reads on while
    it works, those of a command wait until the one before with descriptors is answered, and so does all after them.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._loop = asyncio.get_running_loop()
        self._parcels: deque[_Parcel] = deque()
        self._lender: object = None
        self._watches = False

    def put(self, data: bytes, descriptors: Sequence[int], command: object) -> None:
        """Send now what can be sent now. command: what `answered` will be told."""
        self._parcels.append(_Parcel(data, tuple(os.dup(each) for each in descriptors), command))
        if len(self._parcels) == 1:
            self._flush()

    def answered(self, command: object) -> None:
        if command is self._lender:
            self._lender = None
            self._flush()

    def close(self) -> None:
        """Before the socket is."""
        self._drop()
        self._watch(wanted=False)

    def _flush(self) -> None:
        full = False
        try:
            while self._parcels:
                data, descriptors, command = self._parcels[0]
                if descriptors:
                    if self._lender is not None:
                        break
                    sent = socket.send_fds(self._socket, [data], list(descriptors))
                    self._lender = command
                    _close(descriptors)
                else:
                    sent = self._socket.send(data)
                if sent < len(data):
                    self._parcels[0] = _Parcel(data[sent:], (), command)
                else:
                    self._parcels.popleft()
        except BlockingIOError:
            full = True
        except OSError:
            # What QEMU said before it left is still to be read; reading finds the end.
            self._drop()
        self._watch(wanted=full)

    def _drop(self) -> None:
        while self._parcels:
            _close(self._parcels.popleft().descriptors)

    def _watch(self, *, wanted: bool) -> None:
        if wanted and not self._watches:
            self._loop.add_writer(self._socket, self._flush)
        elif self._watches and not wanted:
            self._loop.remove_writer(self._socket)
        self._watches = wanted


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


__all__ = ["Outbox"]
