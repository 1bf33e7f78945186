"""Which processors come or go when their number changes, and what documents say of them."""

from __future__ import annotations

from typing import Any

import pytest

from roost.drivers.qemu.hotplug import processors as P
from roost.engine.edits import processors
from roost.errors import ConfigUnsupported, InvalidArg, OperationUnsupported
from roost.model.domain import Domain, parse


def document(vcpu: str, rest: str = "") -> Domain:
    return parse(f"<domain type='qemu'><name>x</name><memory>1</memory>{vcpu}<os><type>hvm</type></os>{rest}</domain>")


def slots(*paths: str | None, size: int = 1) -> list[dict[str, Any]]:
    """QEMU's answer: the last first. A path for those that are there."""
    answer = []
    for number, path in enumerate(paths):
        slot: dict[str, Any] = {"vcpus-count": size, "type": "cpu", "props": {"core-id": number}}
        answer.append(slot if path is None else slot | {"qom-path": path})
    return answer[::-1]


BOARD = "/machine/unattached/device[0]"


def enabled(domain: Domain) -> list[int]:
    return [state.id for state in processors.states(domain) if state.enabled]


def test_entities_are_numbered_by_their_processors() -> None:
    found = P.entities(slots(BOARD, "/machine/peripheral/vcpu2", None, size=2))
    assert [(entity.first, entity.size, entity.alias, entity.present) for entity in found] == [
        (0, 2, None, True),
        (2, 2, "vcpu2", True),
        (4, 2, None, False),
    ]
    assert list(found[2].numbers) == [4, 5]


def test_the_first_free_come_and_the_last_go() -> None:
    live = document("<vcpu current='2'>4</vcpu>")
    found = P.entities(slots(BOARD, "/machine/peripheral/vcpu1", None, None))
    chosen, enable = P.choose(found, live, 4)
    assert ([entity.first for entity in chosen], enable) == ([2, 3], True)
    chosen, enable = P.choose(found, live, 1)
    assert ([entity.first for entity in chosen], enable) == ([1], False)
    with pytest.raises(ConfigUnsupported, match="failed to find appropriate hotpluggable vcpus"):
        P.choose(P.entities(slots(BOARD, BOARD, None, None)), live, 1)
    with pytest.raises(ConfigUnsupported, match="granularity"):
        P.choose(P.entities(slots(BOARD, None, size=2)), live, 3)


def test_one_whole_entity_at_a_time() -> None:
    live = document("<vcpu current='2'>6</vcpu>")
    found = P.entities(slots(BOARD, None, None, size=2))
    assert P.choose_one(found, live, {2, 3}, enable=True).first == 2
    with pytest.raises(InvalidArg, match="vcpu '3' was not selected but it belongs to hotpluggable entity '2-3'"):
        P.choose_one(found, live, {2}, enable=True)
    with pytest.raises(InvalidArg, match="vcpu '3' belongs to a larger hotpluggable entity"):
        P.choose_one(found, live, {3}, enable=True)
    with pytest.raises(OperationUnsupported, match="only one hotpluggable entity"):
        P.choose_one(found, live, {2, 3, 4, 5}, enable=True)
    with pytest.raises(InvalidArg, match="vcpu '0' is already in requested state"):
        P.choose_one(found, live, {0, 1}, enable=True)
    with pytest.raises(OperationUnsupported, match="vcpu '0' can't be unplugged"):
        P.choose_one(found, live, {0, 1}, enable=False)


def test_live_documents_keep_the_order_of_arrival() -> None:
    live = P.plugged(document("<vcpu current='1'>4</vcpu>"), [3])
    live = P.plugged(live, [1])
    assert [(state.id, state.order) for state in live.vcpus if state.enabled] == [(0, 1), (1, 3), (3, 2)]
    live = P.unplugged(live, [3])
    assert [(state.id, state.order) for state in live.vcpus if state.enabled] == [(0, 1), (1, 2)]
    assert live.vcpu is not None
    assert live.vcpu.current == 2


def test_counts_of_a_definition() -> None:
    config = document("<vcpu current='1'>4</vcpu>")
    more = processors.with_count(config, 3, hotpluggable=False)
    assert (more.vcpus, more.vcpu.current if more.vcpu else None) == ((), 3)
    listed = processors.with_count(config, 3, hotpluggable=True)
    assert [(s.id, s.enabled, s.hotpluggable) for s in listed.vcpus] == [
        (0, True, False),
        (1, True, True),
        (2, True, True),
        (3, False, True),
    ]
    # One that can be taken out makes those after it such, too.
    assert processors.with_count(listed, 4, hotpluggable=False).vcpus[3].hotpluggable is True
    assert enabled(processors.with_count(listed, 1, hotpluggable=False)) == [0]


def test_the_largest_number() -> None:
    grown = processors.with_maximum(document("<vcpu>2</vcpu>"), 4)
    assert grown.vcpu is not None
    assert (grown.vcpu.count, grown.vcpu.current, grown.vcpus) == (4, 2, ())
    shrunk = processors.with_maximum(document("<vcpu current='3'>4</vcpu>"), 2)
    assert shrunk.vcpu is not None
    assert (shrunk.vcpu.count, shrunk.vcpu.current) == (2, None)
    topology = "<cpu><topology sockets='1' cores='2' threads='2'/></cpu>"
    with pytest.raises(InvalidArg, match="CPU topology doesn't match"):
        processors.with_maximum(document("<vcpu>4</vcpu>", topology), 6)
    numa = "<cpu><numa><cell id='0' cpus='0-3' memory='1'/></numa></cpu>"
    with pytest.raises(InvalidArg, match="Number of CPUs in <numa> exceeds"):
        processors.with_maximum(document("<vcpu>4</vcpu>", numa), 2)


def test_single_ones_of_a_definition() -> None:
    config = document("<vcpu current='2'>4</vcpu>")
    assert enabled(P.with_switched(config, {3}, enable=True)) == [0, 1, 3]
    with pytest.raises(InvalidArg, match="vCPU '0' can't be modified"):
        P.with_switched(config, {0}, enable=False)
    fixed = document("<vcpu current='3'>4</vcpu>")
    with pytest.raises(InvalidArg, match="vcpu '1' can't be modified as it is followed by non-hotpluggable"):
        P.with_switched(fixed, {1}, enable=False)
