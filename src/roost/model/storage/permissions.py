"""Who may use what stands in a pool's directory: <permissions>."""

from __future__ import annotations

from typing import Annotated, Any

from roost.errors import From, XmlError
from roost.xml import Complaint, Integer, Record, at


class _Mode(Integer):
    """Permission bits, in octal with a leading zero."""

    formatted = "0{v:o}"

    def __init__(self) -> None:
        super().__init__(0, 0o777)
        self.table = {}
        self.expected = "an octal mode such as 0755"

    def parse(self, text: str) -> int:
        mode = int(text.strip(), 8)
        if not 0 <= mode <= self.maximum:
            raise ValueError(text)
        return mode

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": 0, "maximum": self.maximum}


def _malformed(what: str) -> Complaint:
    return Complaint(XmlError, f"malformed {what}", domain=From.STORAGE)


#: A user's or group's number; -1, which means none, was once written.
_Id = Annotated[int, Integer(0, 2**32 - 2)]


class Permissions(Record):
    """What is None is left to the system."""

    mode: Annotated[Annotated[int, _Mode()] | None, at("mode", wrong=_malformed("octal mode"))] = None
    owner: Annotated[_Id | None, at("owner", unset=("-1",), wrong=_malformed("owner element"))] = None
    group: Annotated[_Id | None, at("group", unset=("-1",), wrong=_malformed("group element"))] = None
    label: Annotated[str | None, at("label")] = None


__all__ = ["Permissions"]
