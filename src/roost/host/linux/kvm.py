"""What KVM tells of itself, asked by ioctl; nothing where /dev/kvm may not be opened."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

_CHECK_EXTENSION, _CREATE_VM, _CREATE_VCPU, _GET_TSC_KHZ = 0xAE03, 0xAE01, 0xAE41, 0xAEA3
_MAX_VCPUS, _TSC_CONTROL, _HAS_TSC_KHZ = 66, 60, 61


@contextlib.contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_CLOEXEC)


def max_vcpus(path: str = "/dev/kvm") -> int:
    """The most processors of a guest; 0 when KVM cannot be asked."""
    try:
        with _closing(_open(path)) as kvm:
            return fcntl.ioctl(kvm, _CHECK_EXTENSION, _MAX_VCPUS)
    except OSError:
        return 0


def tsc(path: str = "/dev/kvm") -> tuple[int, bool] | None:
    """(Hz of the time stamp counter, whether guests may be given another), asked of a processor made for it."""
    try:
        with _closing(_open(path)) as kvm:
            if not fcntl.ioctl(kvm, _CHECK_EXTENSION, _HAS_TSC_KHZ):
                return None
            scaling = fcntl.ioctl(kvm, _CHECK_EXTENSION, _TSC_CONTROL) > 0
            with (
                _closing(fcntl.ioctl(kvm, _CREATE_VM, 0)) as machine,
                _closing(fcntl.ioctl(machine, _CREATE_VCPU, 0)) as processor,
            ):
                return fcntl.ioctl(processor, _GET_TSC_KHZ) * 1000, scaling
    except OSError:
        return None
