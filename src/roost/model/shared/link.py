"""Whether an interface of the host carries anything, and how fast: <link>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.xml import Record, UInt, at

LinkState = Literal["unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"]


class Link(Record):
    """speed: megabits a second."""

    speed: Annotated[UInt | None, at("@speed", unset=("0",))] = None
    state: LinkState | None = None


__all__ = ["Link", "LinkState"]
