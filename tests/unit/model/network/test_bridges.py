"""Names for bridges that have none."""

from __future__ import annotations

import pytest

from roost.errors import InternalError
from roost.model.network import complete, parse
from roost.model.network.complete import unused_bridge


def test_the_first_name_that_is_free() -> None:
    assert unused_bridge("virbr%d", ()) == "virbr0"
    assert unused_bridge("lab%d", ("lab0", "lab1", "lab3")) == "lab2"


def test_names_run_out() -> None:
    with pytest.raises(InternalError, match="Bridge generation exceeded max id 256"):
        unused_bridge("br%d", [f"br{number}" for number in range(300)])


@pytest.mark.parametrize(
    ("written", "asked"),
    [("", ["virbr%d"]), ("<bridge name='lab%d'/>", ["lab%d"]), ("<bridge name='br7'/>", []),
     ("<forward mode='bridge'/>", [])],
)  # fmt: skip
def test_who_is_asked_for_a_name(written: str, asked: list[str]) -> None:
    seen: list[str] = []

    def unused(template: str) -> str:
        seen.append(template)
        return "chosen"

    network = complete(parse(f"<network><name>n</name>{written}</network>"), bridge=unused)
    assert seen == asked
    assert not asked or (network.bridge is not None and network.bridge.name == "chosen")


def test_identifiers_are_kept_or_made() -> None:
    written = parse("<network><name>n</name><mac address='52:54:00:11:22:33'/></network>")
    made = complete(written)
    assert made.uuid != complete(written).uuid
    assert made.mac == "52:54:00:11:22:33"
    assert complete(made) == made
