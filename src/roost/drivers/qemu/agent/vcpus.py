"""Virtual processors as the guest uses them. Dry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from roost.contract.typed_params import TypedParam, string
from roost.drivers.qemu.agent.answers import Vcpu
from roost.errors import From, InternalError, InvalidArg, OperationUnsupported
from roost.model.domain.cpuset import format_cpus

#: Ids are below this.
MAX_ID = 4096

#: (id, whether it is to be online) of the processors to change.
Changes = list[tuple[int, bool]]


def params(found: Sequence[Vcpu]) -> list[TypedParam]:
    """Three lists of ids. Raises InternalError for an id beyond all."""
    for vcpu in found:
        if vcpu.logical_id >= MAX_ID:
            text = f"vcpu id '{vcpu.logical_id}' reported by guest agent is out of range"
            raise InternalError(text, domain=From.QEMU)
    return [
        string("vcpus", format_cpus({vcpu.logical_id for vcpu in found})),
        string("online", format_cpus({vcpu.logical_id for vcpu in found if vcpu.online})),
        string("offlinable", format_cpus({vcpu.logical_id for vcpu in found if vcpu.can_offline})),
    ]


def switch(found: Sequence[Vcpu], wanted: set[int], online: bool) -> Changes:
    """Changes that bring the processors wanted on or off. Raises for one that is missing or must stay."""
    changes: Changes = []
    for vcpu in found:
        if vcpu.logical_id in wanted:
            if not online and not vcpu.can_offline:
                raise OperationUnsupported(f"vCPU '{vcpu.logical_id}' is not offlinable", domain=From.QEMU)
            changes.append((vcpu.logical_id, online))
    missing = wanted - {number for number, _ in changes}
    if missing:
        known = format_cpus({vcpu.logical_id for vcpu in found})
        text = f"guest is missing vCPUs '{format_cpus(missing)}'"
        raise InvalidArg(text, domain=From.QEMU, hint=f"it has {known}")
    return changes


def resize(found: Sequence[Vcpu], count: int) -> Changes:
    """Changes after which `count` processors are online. Raises when the guest cannot do that.

    The first processor stays online while others can go: suspending to memory may need it.
    """
    if any(not vcpu.online and not vcpu.can_offline for vcpu in found):
        raise InternalError("Invalid data provided by guest agent", domain=From.QEMU)
    online = [vcpu for vcpu in found if vcpu.online]
    removable = [vcpu for vcpu in online if vcpu.can_offline]
    if len(removable) == len(online):
        removable = [vcpu for vcpu in removable if vcpu.logical_id != 0]
    if count > len(found):
        raise InternalError("guest agent reports less cpu than requested", domain=From.QEMU)
    if count < len(online) - len(removable):
        raise InvalidArg("Cannot offline enough CPUs", domain=From.QEMU)
    if count < len(online):
        return [(vcpu.logical_id, False) for vcpu in removable[: len(online) - count]]
    offline = [vcpu for vcpu in found if not vcpu.online]
    return [(vcpu.logical_id, True) for vcpu in offline[: count - len(online)]]


def request(changes: Changes) -> dict[str, Any]:
    """The arguments of guest-set-vcpus."""
    return {"vcpus": [{"logical-id": number, "online": online} for number, online in changes]}
