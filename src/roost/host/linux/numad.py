"""numad, which knows on which NUMA nodes there is room for a guest."""

from __future__ import annotations

import subprocess

from roost.errors import OperationFailed
from roost.host.linux.node import parse_ranges

_TIMEOUT = 30


def placement(vcpus: int, memory: int) -> frozenset[int]:
    """The nodes for a guest. memory: KiB. Raises OperationFailed."""
    words = ("numad", "-w", f"{vcpus}:{-(-memory // 1024)}")
    failed = "Failed to query numad for the advisory nodeset"
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except FileNotFoundError as error:
        raise OperationFailed(failed, hint="install numad, or place the guest by cpuset and nodeset") from error
    except subprocess.TimeoutExpired as error:
        raise OperationFailed(failed, hint=f"numad has not answered within {_TIMEOUT} seconds") from error
    try:
        nodes = frozenset(parse_ranges(done.stdout))
    except ValueError:
        nodes = frozenset()
    if done.returncode or not nodes:
        raise OperationFailed(failed, hint=f"it says: {(done.stderr or done.stdout).strip() or 'nothing'}")
    return nodes


__all__ = ["placement"]
