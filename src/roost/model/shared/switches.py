"""What stands for nothing: empty texts, and switches that forgive what they cannot read."""

from __future__ import annotations

from roost.xml import Switch

#: Texts that count as missing, where libvirt makes no difference.
EMPTY = ("",)


class Lenient(Switch):
    """`yes` in any case; whatever else counts as if it were not there."""

    complete = False

    def __init__(self) -> None:
        super().__init__("yes", "no")
        self.table = {"yes": True}

    def parse(self, text: str) -> bool | None:
        return True if text.lower() == "yes" else None


__all__ = ["EMPTY", "Lenient"]
