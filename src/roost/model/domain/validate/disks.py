"""Rules about disks."""

from __future__ import annotations

from typing import Any

from roost.errors import ConfigUnsupported, From
from roost.model.domain.devices.disk import (
    Disk,
)
from roost.model.domain.domain import Domain
from roost.model.domain.validate.disks_common import BUSES, COMMON_RULES
from roost.model.domain.validate.disks_qemu import ADDRESS_RULES, QEMU_RULES
from roost.model.domain.validate.images import requires_shared_memory
from roost.model.domain.validate.rules import Rules, by_kind


def source_text(disk: Any) -> str:
    """A disk's source as messages name it."""
    source = disk.source
    for name in ("file", "dev", "dir", "name"):
        value = getattr(source, name, None)
        if value:
            return str(value)
    return "<null>"


def check_groups(domain: Domain) -> None:
    """Raises for disks that share a throttle group and have different limits."""
    groups: dict[str, Disk] = {}
    for disk in domain.devices.disks:
        if disk.iotune is None or disk.iotune.group_name is None:
            continue
        first = groups.setdefault(disk.iotune.group_name, disk)
        if first.iotune != disk.iotune:
            raise ConfigUnsupported(
                f"different iotunes for disks {first.target.dev} and {disk.target.dev}",
                domain=From.QEMU,
                hint="disks of one group have the same limits",
            )


#: Of a disk whose process shares the guest's memory; the last of its rules.
LAST_RULES = Rules(requires_shared_memory("vhostuser", lambda d: d.type == "vhostuser"))

RULES_BY_BUS = by_kind((*COMMON_RULES, *ADDRESS_RULES, *QEMU_RULES), BUSES)

__all__ = ["LAST_RULES", "RULES_BY_BUS", "check_groups", "source_text"]
