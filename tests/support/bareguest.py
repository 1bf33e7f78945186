"""What a guest without a system would do with its disk, done by the test through QEMU's port for tests.

A virtio disk of the old kind (legacy, PCI) takes SCSI commands too: one request of descriptors in the guest's memory,
which the test writes where a driver would.
"""

from __future__ import annotations

import socket
import struct
import time
from pathlib import Path
from types import TracebackType

#: Options for QEMU, with the path of the socket in the braces.
OPTIONS = ("-qtest", "unix:{},server=on,wait=off", "-global", "virtio-blk-pci.disable-modern=on")

_ADDRESS, _DATA = 0xCF8, 0xCFC
#: Where the test puts the device's registers, and its queue.
_PORTS, _QUEUE = 0xC000, 0x2000000
#: Registers of the device, by their distance from the first.
_WANTED, _PAGE, _SIZE, _SELECT, _NOTIFY, _STATUS = 4, 8, 12, 14, 16, 18
_SCSI_COMMAND, _LINKED, _WRITABLE = 2, 1, 2
_PATIENCE = 60.0


class BareGuest:
    """Its one disk, at a slot of the first PCI bus. Opened on entry."""

    def __init__(self, path: Path, slot: int) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_PATIENCE)
        self._socket.connect(str(path))
        self._left = b""
        self._slot = slot
        self._count = 0
        self._length = 0

    def __enter__(self) -> BareGuest:
        self._set_up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    # -- the port for tests ----------------------------------------------------------------

    def _ask(self, line: str) -> str:
        self._socket.sendall(f"{line}\n".encode())
        while True:
            while b"\n" not in self._left:
                data = self._socket.recv(4096)
                assert data, "QEMU has ended"
                self._left += data
            answer, self._left = self._left.split(b"\n", 1)
            if not answer.startswith(b"IRQ"):
                assert answer.startswith(b"OK"), f"{line}: {answer!r}"
                return answer[2:].strip().decode()

    def _out(self, size: str, port: int, value: int) -> None:
        self._ask(f"out{size} {port:#x} {value:#x}")

    def _in(self, size: str, port: int) -> int:
        return int(self._ask(f"in{size} {port:#x}"), 16)

    def _write(self, address: int, data: bytes) -> None:
        self._ask(f"write {address:#x} {len(data):#x} 0x{data.hex()}")

    def _read(self, address: int, size: int) -> bytes:
        return bytes.fromhex(self._ask(f"read {address:#x} {size:#x}")[2:])

    # -- the disk --------------------------------------------------------------------------

    def _configure(self, place: int, size: str, value: int) -> None:
        self._out("l", _ADDRESS, 1 << 31 | self._slot << 11 | place)
        self._out(size, _DATA, value)

    def _set_up(self) -> None:
        self._configure(0x10, "l", _PORTS | 1)
        self._configure(0x04, "w", 7)
        for status in (0, 1, 3):
            self._out("b", _PORTS + _STATUS, status)
        self._out("l", _PORTS + _WANTED, 1 << 7)
        self._out("w", _PORTS + _SELECT, 0)
        self._length = self._in("w", _PORTS + _SIZE)
        self._out("l", _PORTS + _PAGE, _QUEUE >> 12)
        self._out("b", _PORTS + _STATUS, 7)

    def command(self, words: bytes, size: int = 64) -> bytes:
        """Give the disk a SCSI command that reads up to `size` bytes; what the device says was wrong with it."""
        offered = _QUEUE + 16 * self._length
        used = (offered + 6 + 2 * self._length + 4095) & ~4095
        begin = _QUEUE + (1 << 16)
        parts = [struct.pack("<IIQ", _SCSI_COMMAND, 0, 0), words, *map(bytes, (size, 96, 16, 1))]
        for number, part in enumerate(parts):
            self._write(begin + 256 * number, part)
            flags = (_LINKED if number < len(parts) - 1 else 0) | (_WRITABLE if number > 1 else 0)
            entry = struct.pack("<QIHH", begin + 256 * number, len(part), flags, number + 1)
            self._write(_QUEUE + 16 * number, entry)
        self._write(offered + 4 + 2 * (self._count % self._length), struct.pack("<H", 0))
        self._count += 1
        self._write(offered, struct.pack("<HH", 0, self._count))
        self._out("w", _PORTS + _NOTIFY, 0)
        deadline = time.monotonic() + _PATIENCE
        while self._read(used + 2, 2) != struct.pack("<H", self._count):
            assert time.monotonic() < deadline, "the disk does not answer"
            time.sleep(0.02)
        assert self._read(begin + 256 * 5, 1) == b"\0"
        (length,) = struct.unpack("<I", self._read(begin + 256 * 4 + 8, 4))
        return self._read(begin + 256 * 3, length)


__all__ = ["OPTIONS", "BareGuest"]
