"""Programs that the kernel asks whether a process may use a device: bpf(2), for control groups of version 2."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import struct
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from roost.host.api import DeviceRule

#: The number of the system call, which the C library has no function for.
_CALLS = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "loongarch64": 280, "ppc64le": 361, "ppc64": 361, "s390x": 351}
_LOAD, _ATTACH, _QUERY = 5, 8, 16
#: Of programs, and of what they are asked about.
_TYPE, _ATTACH_TYPE = 15, 6
#: Larger than what any of these commands takes: the rest is zeros, which every kernel accepts.
_ATTRIBUTES = 128
_LICENSE = b"Apache-2.0\0"

_KINDS = {"b": 1, "c": 2}
_ACCESS = {"m": 1, "r": 2, "w": 4}
_ALL = sum(_ACCESS.values())

#: Instructions, by their code: 64 bit moves and arithmetic, 32 bit loads, jumps to compare.
_LOAD_WORD, _MOVE, _MOVE_VALUE, _AND_VALUE, _SHIFT_RIGHT = 0x61, 0xBF, 0xB7, 0x57, 0x77
_UNLESS_EQUAL_VALUE, _UNLESS_EQUAL, _EXIT = 0x55, 0x5D, 0x95
#: Registers: the answer, the question's place, what is asked, and a spare one.
_ANSWER, _PLACE, _KIND, _WANTED, _MAJOR, _MINOR, _SPARE = range(7)


class _Instruction(struct.Struct):
    """code, registers (the source above the destination), offset, value."""

    def __init__(self) -> None:
        super().__init__("=BBhi")

    def __call__(self, code: int, to: int = 0, source: int = 0, offset: int = 0, value: int = 0) -> bytes:
        return self.pack(code, source << 4 | to, offset, value)


_instruction = _Instruction()


def program(rules: Collection[DeviceRule]) -> Sequence[bytes]:
    """The instructions of a program that allows what one of the rules does, and nothing else."""
    # The kernel asks with three words: access above the kind in the first, major, minor.
    start = [
        _instruction(_LOAD_WORD, _KIND, _PLACE),
        _instruction(_MOVE, _WANTED, _KIND),
        _instruction(_AND_VALUE, _KIND, value=0xFFFF),
        _instruction(_SHIFT_RIGHT, _WANTED, value=16),
        _instruction(_LOAD_WORD, _MAJOR, _PLACE, 4),
        _instruction(_LOAD_WORD, _MINOR, _PLACE, 8),
    ]
    for rule in sorted(rules):
        start += _rule(rule)
    return [*start, _instruction(_MOVE_VALUE, _ANSWER), _instruction(_EXIT)]


def _rule(rule: DeviceRule) -> list[bytes]:
    access = sum(_ACCESS[letter] for letter in rule.access)
    tests: list[tuple[int, int, int, int]] = [(_UNLESS_EQUAL_VALUE, _KIND, 0, _KINDS[rule.kind])]
    if access != _ALL:
        tests += [
            (_MOVE, _SPARE, _WANTED, 0),
            (_AND_VALUE, _SPARE, 0, access),
            (_UNLESS_EQUAL, _SPARE, _WANTED, 0),
        ]
    tests.append((_UNLESS_EQUAL_VALUE, _MAJOR, 0, rule.major))
    if rule.minor >= 0:
        tests.append((_UNLESS_EQUAL_VALUE, _MINOR, 0, rule.minor))
    code = [*tests, (_MOVE_VALUE, _ANSWER, 0, 1), (_EXIT, 0, 0, 0)]
    jumps = (_UNLESS_EQUAL, _UNLESS_EQUAL_VALUE)
    return [
        _instruction(each, to, source, len(code) - place - 1 if each in jumps else 0, value)
        for place, (each, to, source, value) in enumerate(code)
    ]


def _call(command: int, attributes: bytes) -> int:
    """Raises OSError."""
    number = _CALLS.get(os.uname().machine)
    if number is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    buffer = ctypes.create_string_buffer(attributes, _ATTRIBUTES)
    library = ctypes.CDLL(None, use_errno=True)
    done: int = library.syscall(ctypes.c_long(number), ctypes.c_int(command), buffer, ctypes.c_uint(_ATTRIBUTES))
    if done < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return done


@contextlib.contextmanager
def _opened(group: Path) -> Iterator[int]:
    descriptor = os.open(group, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def is_available(group: Path) -> bool:
    """Whether groups below this one can have such programs."""
    try:
        with _opened(group) as descriptor:
            _call(_QUERY, struct.pack("=IIII", descriptor, _ATTACH_TYPE, 0, 0))
    except OSError:
        return False
    return True


def attach(group: Path, rules: Collection[DeviceRule]) -> None:
    """Let the group's processes use devices by these rules alone, in place of the rules before, all at once.

    The kernel keeps the program as long as the group. Raises OSError.
    """
    instructions = b"".join(program(rules))
    code = ctypes.create_string_buffer(instructions, len(instructions))
    name = ctypes.create_string_buffer(_LICENSE)
    count = len(instructions) // _instruction.size
    loaded = _call(_LOAD, struct.pack("=IIQQ", _TYPE, count, ctypes.addressof(code), ctypes.addressof(name)))
    try:
        with _opened(group) as descriptor:
            # Without flags the group has one program, and another that is attached takes its place.
            _call(_ATTACH, struct.pack("=IIII", descriptor, loaded, _ATTACH_TYPE, 0))
    finally:
        os.close(loaded)


__all__ = ["attach", "is_available", "program"]
