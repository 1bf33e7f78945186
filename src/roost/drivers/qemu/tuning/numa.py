"""Changes of where a guest's memory comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from msgspec.structs import replace

from roost.constants import domain as D
from roost.errors import ConfigUnsupported, From, InvalidArg, OperationInvalid
from roost.host.api import Host
from roost.model.domain import Domain
from roost.model.domain.cpuset import format_cpus, parse_cpus
from roost.model.domain.tuning import NumaMemory, NumaMode, NumaTune

#: By the public API's numbers.
MODES: tuple[NumaMode, ...] = ("strict", "preferred", "interleave", "restrictive")
assert set(MODES) == set(get_args(NumaMode))


def read_nodeset(values: Mapping[str, Any]) -> tuple[NumaMode | None, str | None]:
    """The mode and the list of nodes; None for what is not to change. Raises InvalidArg and OperationInvalid."""
    mode, text = values.get(D.NUMA_MODE), values.get(D.NUMA_NODESET)
    if mode is not None and not 0 <= mode < len(MODES):
        hint = ", ".join(f"{number}: {name}" for number, name in enumerate(MODES))
        raise InvalidArg(f"unsupported numatune mode: '{mode}'", domain=From.QEMU, hint=hint)
    nodes = parse_cpus(text) if text is not None else None
    if nodes is not None and not nodes:
        raise OperationInvalid(f"Invalid nodeset of 'numatune': {text}", domain=From.QEMU, hint="name a node, as in 0")
    return None if mode is None else MODES[mode], None if nodes is None else format_cpus(nodes)


def with_numatune(document: Domain, mode: NumaMode | None, nodeset: str | None) -> Domain:
    """The document with <numatune><memory> changed. Raises ConfigUnsupported for memory without a place."""
    if mode is None and nodeset is None:
        return document
    tune = document.numatune or NumaTune()
    before = tune.memory or NumaMemory()
    placed = document.vcpu.placement if document.vcpu is not None else None
    automatic = (before.placement if tune.memory is not None else placed) == "auto"
    nodes = nodeset or before.nodeset
    if nodes is None and not automatic:
        text = "nodeset for NUMA memory tuning must be set if 'placement' is 'static'"
        raise ConfigUnsupported(text, domain=From.NONE, hint="give a nodeset, too")
    memory = NumaMemory(mode=mode or before.mode or "strict", nodeset=nodes, placement=None if nodes else "auto")
    return replace(document, numatune=replace(tune, memory=memory))


def refuse_live_change(live: Domain, mode: NumaMode | None, nodeset: str | None) -> None:
    """Raises OperationInvalid for what QEMU's memory cannot follow once it is there."""
    memory = live.numatune.memory if live.numatune is not None else None
    if memory is not None and mode is not None and memory.mode != mode:
        raise OperationInvalid(
            "can't change numatune mode for running domain", domain=From.QEMU, hint="change it with --config"
        )
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


__all__ = ["MODES", "check_nodes", "read_nodeset", "refuse_live_change", "with_numatune"]
