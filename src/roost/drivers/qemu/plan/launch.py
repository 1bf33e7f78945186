"""The command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from roost.drivers.qemu.plan.caps import Capabilities
    from roost.drivers.qemu.plan.resources import Grants
    from roost.model.domain import Domain


class Launch(NamedTuple):
    """argv[0] is the emulator. env: what the document adds. fds: inherited under the same numbers."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    fds: tuple[int, ...]


def argv(domain: Domain, caps: Capabilities, grants: Grants) -> Launch:
    """Raises ConfigUnsupported for what this QEMU does not have."""
    return Launch((domain.devices.emulator or "",), {}, ())
