"""New processes by the C library's posix_spawn.

Python's own way to start one keeps the interpreter to itself until the child runs another program: with busy
processors milliseconds in which the daemon answers nobody. A call through ctypes lets the other threads go on.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import signal
from collections.abc import Mapping, Sequence

# <spawn.h> of glibc and musl, which agree.
_SETSIGDEF = 0x04
_SETSID = 0x80
#: More than either library's structures take.
_ROOM = 512
#: What Python ignores and other programs expect to end them.
_USUAL = (signal.SIGPIPE, signal.SIGXFSZ)


def spawn(argv: Sequence[str], env: Mapping[str, str], directory: str, descriptors: Mapping[int, int]) -> int:
    """The number of a new process that leads a session of its own.

    argv: its first word is looked up in the daemon's PATH. descriptors: what the child has under which number, of
    those here; the rest is closed to it. Raises OSError.
    """
    _keep_to_itself()
    library = ctypes.CDLL(None)
    actions, attributes, signals = (ctypes.create_string_buffer(_ROOM) for _ in range(3))
    _require(library.posix_spawn_file_actions_init(actions))
    try:
        _require(library.posix_spawnattr_init(attributes))
        try:
            library.sigemptyset(signals)
            for number in _USUAL:
                library.sigaddset(signals, number)
            _require(library.posix_spawnattr_setsigdefault(attributes, signals))
            _require(library.posix_spawnattr_setflags(attributes, ctypes.c_short(_SETSID | _SETSIGDEF)))
            _require(library.posix_spawn_file_actions_addchdir_np(actions, os.fsencode(directory)))
            for there, here in descriptors.items():
                # Onto itself, it stays open where the others are closed.
                _require(library.posix_spawn_file_actions_adddup2(actions, here, there))
            pid = ctypes.c_int()
            words = _strings(argv)
            settings = _strings([f"{name}={value}" for name, value in env.items()])
            _require(library.posix_spawnp(ctypes.byref(pid), words[0], actions, attributes, words, settings))
            return pid.value
        finally:
            library.posix_spawnattr_destroy(attributes)
    finally:
        library.posix_spawn_file_actions_destroy(actions)


@functools.cache
def _keep_to_itself() -> None:
    """What the daemon was started with is not its children's; what Python opens never is."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            with contextlib.suppress(OSError):
                os.set_inheritable(int(name), False)


def _strings(words: Sequence[str]) -> ctypes.Array[ctypes.c_char_p]:
    return (ctypes.c_char_p * (len(words) + 1))(*map(os.fsencode, words), None)


def _require(number: int) -> None:
    if number:
        raise OSError(number, os.strerror(number))
