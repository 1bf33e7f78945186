"""What a running guest's memory can follow of a change of where it comes from."""

from __future__ import annotations

from roost.engine.edits.numa import refuse_other_mode
from roost.errors import ConfigUnsupported, From, OperationInvalid
from roost.host.api import Host
from roost.model.domain import Domain
from roost.model.domain.cpuset import parse_cpus
from roost.model.domain.tuning import NumaMode


def refuse_live_change(live: Domain, mode: NumaMode | None, nodeset: str | None) -> None:
    """Raises OperationInvalid for what QEMU's memory cannot follow once it is there."""
    refuse_other_mode(live, mode)
    memory = live.numatune.memory if live.numatune is not None else None
    if mode == "strict":
        if nodeset != (memory.nodeset if memory is not None else None):
            raise OperationInvalid(
                "can't change nodeset for strict mode for running domain",
                domain=From.QEMU,
                hint="change it with --config, or run the guest in restrictive mode",
            )
    elif nodeset is not None and memory is not None and memory.mode != "restrictive":
        raise OperationInvalid(
            "change of nodeset for running domain requires restrictive numa mode",
            domain=From.QEMU,
            hint="change it with --config",
        )


def check_nodes(host: Host, nodeset: str) -> None:
    """Raises ConfigUnsupported for a node that the host has not."""
    known = {cell.id for cell in host.hardware.cells()}
    missing = sorted(parse_cpus(nodeset) - known)
    if missing:
        text = f"NUMA node {missing[0]} is unavailable"
        raise ConfigUnsupported(text, domain=From.NONE, hint=f"the host has {', '.join(map(str, sorted(known)))}")


__all__ = ["check_nodes", "refuse_live_change"]
