"""The filter document's root: <filter>, its rules and the filters that it includes."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import ConfigUnsupported, From, InternalError, InvalidArg, RoostError, XmlError
from roost.model.nwfilter.protocols import AnyMatch
from roost.model.shared.filterref import FilterParameter
from roost.model.shared.switches import EMPTY
from roost.xml import Complaint, Int, Integer, Record, Switch, Uuid, at

MIN_PRIORITY, MAX_PRIORITY = -1000, 1000
_USUAL_PRIORITY = MAX_PRIORITY // 2


def _complaint(text: str, error: type[RoostError] = InternalError) -> Complaint:
    return Complaint(error, text, domain=From.NWFILTER)


class RulePriority(Integer):
    """A place among the rules; what is no such number means the one in the middle."""

    def __init__(self) -> None:
        super().__init__(MIN_PRIORITY, MAX_PRIORITY)
        self.table = {}

    def parse(self, text: str) -> int:
        try:
            return super().parse(text)
        except ValueError:
            return _USUAL_PRIORITY


class StateMatch(Switch):
    """`false` or 0 where connections are not tracked; whatever else means that they are."""

    complete = False

    def __init__(self) -> None:
        super().__init__("true", "false")
        self.table = {"false": False}

    def parse(self, text: str) -> bool | None:
        return False if text.lower() in ("0", "false") else None


class Entry(Record, tag_field="element"):
    """A step in a filter; `AnyEntry` is the union of its members."""


class Rule(Entry, tag="rule"):
    """What happens to packets that have what `matches` says, all of one protocol."""

    action: Annotated[
        Literal["drop", "accept", "reject", "return", "continue"],
        at("@action", missing=_complaint("rule node requires action attribute"),
           wrong=_complaint("unknown rule action attribute value", ConfigUnsupported)),
    ]  # fmt: skip
    direction: Annotated[
        Literal["in", "out", "inout"],
        at("@direction", missing=_complaint("rule node requires direction attribute"),
           wrong=_complaint("unknown rule direction attribute value", ConfigUnsupported)),
    ]  # fmt: skip
    priority: Annotated[int, RulePriority()] = _USUAL_PRIORITY
    statematch: Annotated[bool | None, StateMatch()] = None
    matches: tuple[AnyMatch, ...] = ()


class Include(Entry, tag="filterref"):
    """Another filter that applies here, with values for its variables."""

    # libvirt says so of what lacks a filter.
    filter: Annotated[str, at("@filter", missing=_complaint("rule node requires action attribute"))]
    parameters: Annotated[tuple[FilterParameter, ...], at("parameter")] = ()


AnyEntry = Rule | Include


class Filter(Record):
    """A named list of rules. chain: where it is looked at, and `priority` before or after which others."""

    name: Annotated[str, at("@name", unset=EMPTY, missing=_complaint("filter has no name"))]
    chain: Annotated[str | None, at("@chain", unset=EMPTY)] = None
    priority: Annotated[
        Int | None, at("@priority", unset=EMPTY, wrong=_complaint("Could not parse chain priority '%s'", InvalidArg))
    ] = None  # fmt: skip
    uuid: Annotated[Uuid | None, at("uuid", wrong=_complaint("malformed uuid element", XmlError))] = None
    entries: tuple[AnyEntry, ...] = ()


__all__ = ["MAX_PRIORITY", "MIN_PRIORITY", "AnyEntry", "Entry", "Filter", "Include", "Rule"]
