"""How the fields of capabilities are declared: numbers with libvirt's words for one that is missing or wrong."""

from __future__ import annotations

from typing import Any

from roost.errors import ConfigUnsupported, From, InternalError, RoostError, XmlError
from roost.xml import Complaint, Hex, at


def complaint(text: str, error: type[RoostError] = InternalError) -> Complaint:
    """An error of the node device driver; `%n` stands for the device's name."""
    return Complaint(error, text, domain=From.NODEDEV)


def number(path: str, what: str) -> Any:
    """Places a number that has to be there. what: its name in messages."""
    return at(
        path, missing=complaint(f"no {what} supplied for '%n'"), wrong=complaint(f"invalid {what} supplied for '%n'")
    )


def code(path: str, what: str) -> Any:
    """The same for the numbers of s390, which have other words."""
    return at(
        path,
        missing=complaint(f"missing {what} value for '%n'", ConfigUnsupported),
        wrong=complaint(f"invalid {what} value '%s' for '%n'", ConfigUnsupported),
    )


class BareHex(Hex):
    """A number read in hexadecimal, with 0x or without."""

    def parse(self, text: str) -> int:
        return super().parse(text if text.lstrip(" +-")[:2].lower() == "0x" else f"0x{text}")


#: Errors of kinds that more than one capability has.
NO_TYPE = complaint("Missing capability type", XmlError)

__all__ = ["NO_TYPE", "BareHex", "code", "complaint", "number"]
