"""What taints a guest says of it."""

from __future__ import annotations

import pytest

from roost.constants import domain as D
from roost.drivers.qemu.taints import messages

_TAINTS = ("deprecated-config (machine type 'old')", "custom-monitor", "deprecated-config (CPU model 'older')")
_TAINTED = ["tainted: custom monitor control commands issued", "tainted: use of deprecated configuration settings"]
_DEPRECATED = ["deprecated configuration: machine type 'old'", "deprecated configuration: CPU model 'older'"]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (0, _TAINTED + _DEPRECATED),
        (D.MESSAGE_TAINTING, _TAINTED),
        (D.MESSAGE_DEPRECATION, _DEPRECATED),
        (D.MESSAGE_TAINTING | D.MESSAGE_DEPRECATION, _TAINTED + _DEPRECATED),
    ],
)
def test_by_kind(flags: int, expected: list[str]) -> None:
    assert messages(_TAINTS, flags) == expected


def test_none() -> None:
    assert messages((), 0) == []
