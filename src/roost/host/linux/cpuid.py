"""What the processor says of itself.

The CPUID instruction may be executed by anybody, but not from Python, and
/dev/cpu/0/cpuid needs root and a kernel module. So a few bytes of machine code
are called, and the device is read where the system forbids such pages.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from collections.abc import Callable, Mapping

#: rdi: where EAX to EDX go; esi, edx: the leaf and subleaf. RBX belongs to the caller.
_CODE = bytes.fromhex("53 89f0 89d1 0fa2 8907 895f04 894f08 89570c 5b c3".replace(" ", ""))
_REGISTERS = ("eax", "ebx", "ecx", "edx")
_BASIC, _EXTENDED = 0x0, 0x80000000
#: Leaves with subleaves, and how many of those tell of features.
_SUBLEAVES = {0x7: 2, 0xD: 2, 0xF: 2, 0x10: 1, 0x12: 2, 0x14: 1}
_ARCH_CAPABILITIES = 0x10A

Registers = tuple[int, int, int, int]
Cpuid = Callable[[int, int], Registers]


def _instruction() -> Cpuid:
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(_CODE)
    # Both are kept by the closure: the page must outlive the last call.
    start = ctypes.c_char.from_buffer(page)
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)(ctypes.addressof(start))
    registers = (ctypes.c_uint32 * 4)()

    def cpuid(leaf: int, subleaf: int) -> Registers:
        assert start is not None
        function(ctypes.addressof(registers), leaf, subleaf)
        return registers[0], registers[1], registers[2], registers[3]

    return cpuid


def _device() -> Cpuid:
    descriptor = os.open("/dev/cpu/0/cpuid", os.O_RDONLY | os.O_CLOEXEC)

    def cpuid(leaf: int, subleaf: int) -> Registers:
        eax, ebx, ecx, edx = struct.unpack("<4I", os.pread(descriptor, 16, subleaf << 32 | leaf))
        return eax, ebx, ecx, edx

    return cpuid


def read_words() -> Mapping[tuple[int, int, str], int]:
    """(leaf, subleaf, register) to its value, and (MSR, 0, "msr"); {} on another architecture or where none may ask."""
    if os.uname().machine != "x86_64":
        return {}
    for way in (_instruction, _device):
        try:
            cpuid = way()
        except OSError:
            continue
        return _collect(cpuid)
    return {}


def _collect(cpuid: Cpuid) -> Mapping[tuple[int, int, str], int]:
    words: dict[tuple[int, int, str], int] = {}
    for base in (_BASIC, _EXTENDED):
        highest = cpuid(base, 0)[0]
        for leaf in range(base, min(highest, base + 0x40) + 1):
            for subleaf in range(_SUBLEAVES.get(leaf, 1)):
                for register, value in zip(_REGISTERS, cpuid(leaf, subleaf), strict=True):
                    words[leaf, subleaf, register] = value
    if words.get((0x7, 0, "edx"), 0) >> 29 & 1:
        words[_ARCH_CAPABILITIES, 0, "msr"] = _read_msr(_ARCH_CAPABILITIES)
    return words


def _read_msr(number: int) -> int:
    """0 where it cannot be read: it needs root and a kernel module."""
    try:
        descriptor = os.open("/dev/cpu/0/msr", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        value: int = struct.unpack("<Q", os.pread(descriptor, 8, number))[0]
    except OSError:
        value = 0
    finally:
        os.close(descriptor)
    return value
