"""<numatune><memory>: where a guest's memory comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from msgspec.structs import replace

from roost.constants import domain as D
from roost.constants import typed_params as T
from roost.contract.typed_params import TypedParam, int_, string
from roost.errors import ConfigUnsupported, From, InvalidArg, OperationInvalid
from roost.model.domain import Domain
from roost.model.domain.cpuset import format_cpus, parse_cpus
from roost.model.domain.tuning import NumaMemory, NumaMode, NumaTune

#: By the public API's numbers.
MODES: tuple[NumaMode, ...] = ("strict", "preferred", "interleave", "restrictive")
#: All parameters and their types.
PARAMETERS: Mapping[str, int] = {D.NUMA_MODE: T.INT, D.NUMA_NODESET: T.STRING}
assert set(MODES) == set(get_args(NumaMode))


def read_nodeset(values: Mapping[str, Any]) -> tuple[NumaMode | None, str | None]:
    """The mode and the list of nodes; None for what is not to change. Raises InvalidArg and OperationInvalid."""
    mode, text = values.get(D.NUMA_MODE), values.get(D.NUMA_NODESET)
    if mode is not None and not 0 <= mode < len(MODES):
        hint = ", ".join(f"{number}: {name}" for number, name in enumerate(MODES))
        raise InvalidArg(f"unsupported numatune mode: '{mode}'", hint=hint)
    nodes = parse_cpus(text) if text is not None else None
    if nodes is not None and not nodes:
        raise OperationInvalid(f"Invalid nodeset of 'numatune': {text}", hint="name a node, as in 0")
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
        raise ConfigUnsupported(text, domain=From.DOMAIN, hint="give a nodeset, too")
    memory = NumaMemory(mode=mode or before.mode or "strict", nodeset=nodes, placement=None if nodes else "auto")
    return replace(document, numatune=replace(tune, memory=memory))


def refuse_other_mode(live: Domain, mode: NumaMode | None) -> None:
    """Raises OperationInvalid for a running guest whose memory has another."""
    memory = live.numatune.memory if live.numatune is not None else None
    if memory is not None and mode is not None and memory.mode != mode:
        raise OperationInvalid("can't change numatune mode for running domain", hint="change it with --config")


def shown(document: Domain) -> Sequence[TypedParam]:
    """All parameters."""
    memory = document.numatune.memory if document.numatune is not None else None
    mode = MODES.index(memory.mode or "strict") if memory is not None else D.NUMATUNE_MEM_STRICT
    return int_(D.NUMA_MODE, mode), string(D.NUMA_NODESET, (memory.nodeset if memory is not None else None) or "")


__all__ = ["MODES", "PARAMETERS", "read_nodeset", "refuse_other_mode", "shown", "with_numatune"]
