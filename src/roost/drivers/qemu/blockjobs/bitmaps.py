"""Dirty bitmaps: what changed since a checkpoint, kept in the images and carried along when images come and go. Dry.

A checkpoint's bitmap has its name. It is of use while the images from the top
down to some one have it without a gap, and each of them is whole: what changed
is then what all of them say together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from roost.drivers.qemu.blockjobs.chain import Layer

#: Writes of the guest between the pivot's beginning and its end, for the bitmaps of what becomes the disk's image.
ACTIVE_WRITES = "libvirt-tmp-activewrite"

Action = dict[str, Any]


class Bitmap(NamedTuple):
    """granularity: bytes a bit stands for. dirty: bytes that it counts as changed."""

    name: str
    granularity: int
    dirty: int
    recording: bool
    persistent: bool
    inconsistent: bool


#: The bitmaps of block nodes, by node and name.
Nodes = Mapping[str, Mapping[str, Bitmap]]


def read(answer: Iterable[Mapping[str, Any]]) -> Nodes:
    """From QEMU's answer to query-named-block-nodes."""
    found = {}
    for entry in answer:
        bitmaps = (
            Bitmap(
                str(each["name"]),
                int(each.get("granularity", 0)),
                int(each.get("count", 0)),
                bool(each.get("recording")),
                bool(each.get("persistent")),
                bool(each.get("inconsistent")),
            )
            for each in entry.get("dirty-bitmaps", ())
            if "name" in each
        )
        found[str(entry.get("node-name"))] = {bitmap.name: bitmap for bitmap in bitmaps}
    return found


def is_valid(layers: Sequence[Layer], name: str, nodes: Nodes) -> bool:
    """Whether the images, from the top down, say together what changed since that checkpoint."""
    found = ended = False
    for layer in layers:
        bitmap = nodes.get(layer.format_node, {}).get(name)
        if bitmap is None:
            if not found:
                return False
            ended = True
        elif ended or bitmap.inconsistent or not bitmap.persistent or not bitmap.recording:
            return False
        else:
            found = True
    return found


def add(node: str, name: str, *, persistent: bool = True, disabled: bool = False, granularity: int = 0) -> Action:
    """Begin to count what changes in a node."""
    data: dict[str, Any] = {"node": node, "name": name, "persistent": persistent, "disabled": disabled}
    if granularity:
        data["granularity"] = granularity
    return {"type": "block-dirty-bitmap-add", "data": data}


def remove(node: str, name: str) -> Action:
    return {"type": "block-dirty-bitmap-remove", "data": {"node": node, "name": name}}


def merge(
    layers: Sequence[Layer],
    target: str,
    nodes: Nodes,
    *,
    last: int | None = None,
    name: str | None = None,
    into: str | None = None,
    writes: bool = False,
) -> list[Action]:
    """What brings the changes that images know of into the node `target`.

    layers: the whole chain; those before `last` are merged, all without it.
    name: one checkpoint's bitmap; None for each that is of use. into: the
    temporary bitmap that takes it; None for one of the same name. writes: with
    what was written to the target itself during a pivot.
    """
    actions: list[Action] = []
    known = nodes.get(layers[0].format_node, {}) if layers else {}
    for bitmap in known.values():
        if name not in (None, bitmap.name) or not is_valid(layers, bitmap.name, nodes):
            continue
        sources = [
            {"node": layer.format_node, "name": bitmap.name}
            for layer in layers[:last]
            if bitmap.name in nodes.get(layer.format_node, {}) and layer.format_node != target
        ]
        if writes:
            sources.append({"node": target, "name": ACTIVE_WRITES})
        if into is not None:
            sources = [
                {"node": layer.format_node, "name": bitmap.name}
                for layer in layers[:last]
                if bitmap.name in nodes.get(layer.format_node, {})
            ]
            actions.append(add(target, into, persistent=False, disabled=True, granularity=bitmap.granularity))
        elif bitmap.name not in nodes.get(target, {}):
            actions.append(add(target, bitmap.name, granularity=bitmap.granularity))
        if sources:
            data = {"node": target, "target": into or bitmap.name, "bitmaps": sources}
            actions.append({"type": "block-dirty-bitmap-merge", "data": data})
    if writes:
        actions.append(remove(target, ACTIVE_WRITES))
    return actions


__all__ = ["ACTIVE_WRITES", "Action", "Bitmap", "Nodes", "add", "is_valid", "merge", "read", "remove"]
