"""What the kernel lets the tests do to the limits of processes."""

from __future__ import annotations

import functools
import re
from pathlib import Path

_CAP_SYS_RESOURCE = 24


@functools.cache
def may_raise_limits() -> bool:
    """Whether limits may be set above what processes have: root may not in every container."""
    found = re.search(r"^CapEff:\s+([0-9a-f]+)$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return found is not None and bool(int(found[1], 16) >> _CAP_SYS_RESOURCE & 1)
