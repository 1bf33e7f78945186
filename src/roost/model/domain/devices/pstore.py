"""Where a guest's kernel leaves its last words: <pstore>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.model.domain.device import Device
from roost.xml import Child, KiB, at


class Pstore(Device):
    """path: the file that keeps it, chosen when not given. size: KiB."""

    backend: Literal["acpi-erst"]
    path: Child[str | None] = None
    size: Annotated[KiB, at("size")]


__all__ = ["Pstore"]
