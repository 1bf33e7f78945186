"""A guest of 71 bytes that writes to I/O ports what it is told to by its serial port: it can do what a driver would.

Needs the standard library alone, so that scripts of the C binding can have it.
"""

from __future__ import annotations

import socket
import time
from pathlib import Path

#: Real mode, at 0x7c00: says R; then for ever reads an operation (`b` or `w`), a port and a value of two bytes each,
#: lowest first, writes a byte or a word to the port, and says a full stop.
_CODE = bytes.fromhex(
    "fa31c08ed0bc007cb052"  # cli; ss:sp = 0:7c00; al = 'R'
    "eb26"  # jmp say
    "e8290088c1e8240088c2e81f0088c6e81a0088c3e8150088c7"  # next: cl = op, dx = port, bx = value, each by getc
    "89d880f9777403ee"  # ax = bx; if cl != 'w': out dx, al
    "eb01ef"  # else out dx, ax
    "b02e"  # al = '.'
    "baf803eeebd4"  # say: out 0x3f8, al; jmp next
    "52bafd03eca80174fbbaf803ec5ac3"  # getc: wait for 0x3fd & 1, al = in 0x3f8
)
#: Seconds a guest may take for one operation, or to boot.
PATIENCE = 60.0


def write_disk(path: Path) -> None:
    """Make the image it boots from; of a size that the firmware finds a geometry for."""
    path.write_bytes((_CODE.ljust(510, b"\0") + b"\x55\xaa").ljust(4 << 20, b"\0"))


class Poker:
    """The end of the guest's serial port, `<serial type='unix'><source mode='bind' path=…>`."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE)
        self._socket.connect(path)

    def close(self) -> None:
        self._socket.close()

    def booted(self) -> None:
        """Wait until it runs. The firmware has a word on that port, too."""
        self._expect(b"R")

    def out(self, port: int, value: int, *, word: bool = False) -> None:
        """Have it write to a port, and wait until it has."""
        self.send(port, value, word=word)
        self._expect(b".")

    def send(self, port: int, value: int, *, word: bool = False) -> None:
        """The same, without waiting: what stops it says nothing any more."""
        operation = b"w" if word else b"b"
        self._socket.sendall(operation + port.to_bytes(2, "little") + value.to_bytes(2, "little"))

    def _expect(self, answer: bytes) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            got = self._socket.recv(1)
            if got == answer:
                return
            if not got:
                break
        raise AssertionError(f"the guest has not said {answer!r}")
