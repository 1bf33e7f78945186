"""What changed since a checkpoint, when images come and go."""

from __future__ import annotations

from typing import Any

import pytest

from roost.drivers.qemu.blockjobs import bitmaps as M
from roost.drivers.qemu.blockjobs.chain import Layer
from roost.model.domain.devices.disk import FileSource

LAYERS = [Layer(number, FileSource(file=f"/{number}"), "qcow2") for number in (1, 2, 3)]


def nodes(*found: dict[str, Any]) -> M.Nodes:
    """The bitmaps of the images 1, 2, 3: by name, with what differs from a good one."""
    usual = {"granularity": 65536, "count": 0, "recording": True, "persistent": True, "busy": False}
    return M.read(
        {
            "node-name": f"libvirt-{number}-format",
            "dirty-bitmaps": [{"name": name, **usual, **differences} for name, differences in names.items()],
        }
        for number, names in enumerate(found, 1)
    )


@pytest.mark.parametrize(
    ("found", "valid"),
    [
        (({"a": {}}, {}, {}), True),
        (({"a": {}}, {"a": {}}, {}), True),
        (({"a": {}}, {"a": {}}, {"a": {}}), True),
        (({}, {"a": {}}, {}), False),
        (({"a": {}}, {}, {"a": {}}), False),
        (({"a": {"inconsistent": True}}, {}, {}), False),
        (({"a": {}}, {"a": {"inconsistent": True}}, {}), False),
        (({"a": {"persistent": False}}, {}, {}), False),
        (({"a": {"recording": False}}, {}, {}), False),
        (({}, {}, {}), False),
    ],
)
def test_of_use_without_gaps_and_whole(found: tuple[dict[str, Any], ...], valid: bool) -> None:
    assert M.is_valid(LAYERS, "a", nodes(*found)) is valid


def test_an_unnamed_bitmap_is_nobodys() -> None:
    assert M.read([{"node-name": "n", "dirty-bitmaps": [{"granularity": 1}]}, {"node-name": "m"}]) == {"n": {}, "m": {}}


def merged(actions: list[M.Action]) -> list[tuple[str, ...]]:
    found = []
    for each in actions:
        data = each["data"]
        sources = (f"{source['node']}:{source['name']}" for source in data.get("bitmaps", ()))
        found.append((each["type"].removeprefix("block-dirty-bitmap-"), data.get("target") or data["name"], *sources))
    return found


def test_a_pull_brings_them_into_the_top() -> None:
    found = nodes({"a": {}, "b": {}}, {"a": {}}, {"c": {}})
    actions = M.merge(LAYERS, "libvirt-1-format", found, last=3)
    assert merged(actions) == [("merge", "a", "libvirt-2-format:a")]


def test_a_copy_gets_all_that_are_of_use_and_what_was_written_meanwhile() -> None:
    found = nodes({"a": {}, "broken": {"inconsistent": True}}, {"a": {}}, {})
    actions = M.merge(LAYERS, "libvirt-9-format", found, writes=True)
    assert merged(actions) == [
        ("add", "a"),
        ("merge", "a", "libvirt-1-format:a", "libvirt-2-format:a", "libvirt-9-format:libvirt-tmp-activewrite"),
        ("remove", "libvirt-tmp-activewrite"),
    ]
    assert actions[0]["data"] == {
        "node": "libvirt-9-format", "name": "a", "persistent": True, "disabled": False, "granularity": 65536,
    }  # fmt: skip


def test_a_commit_brings_them_down() -> None:
    actions = M.merge(LAYERS, "libvirt-3-format", nodes({"a": {}}, {"a": {}}, {"a": {}}), last=2)
    assert merged(actions) == [("merge", "a", "libvirt-1-format:a", "libvirt-2-format:a")]


def test_a_backup_gets_one_of_its_own() -> None:
    actions = M.merge(LAYERS, "libvirt-1-format", nodes({"a": {}, "b": {}}, {"a": {}}, {}), name="a", into="backup-vda")
    assert merged(actions) == [
        ("add", "backup-vda"),
        ("merge", "backup-vda", "libvirt-1-format:a", "libvirt-2-format:a"),
    ]
    assert actions[0]["data"]["disabled"] is True
    assert actions[0]["data"]["persistent"] is False
    assert M.merge(LAYERS, "libvirt-1-format", nodes({}, {"a": {}}, {}), name="a", into="backup-vda") == []
