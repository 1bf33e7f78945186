"""Namespaces: whatever prefix a document binds to a known URI becomes the usual one."""

from __future__ import annotations

from roost.xml.shape import GROUP
from roost.xml.tree import Node


def canonical_names(root: Node, namespaces: dict[str, str]) -> Node:
    """The tree with every element of a known namespace named `prefix:name`.

    namespaces: usual prefix to URI. An element that has the usual prefix
    without its being bound to the URI loses it to `?`, and so counts as unknown.
    """
    usual = {uri: prefix for prefix, uri in namespaces.items()}
    rename: list[Node] = []
    todo: list[tuple[Node, dict[str, str]]] = [(root, {})]
    while todo:
        node, bound = todo.pop()
        declared = {name[6:]: uri for name, uri in node[1].items() if name == "xmlns" or name.startswith("xmlns:")}
        if declared:
            bound = {**bound, **declared}
        prefix, colon, local = node[0].rpartition(":")
        known = usual.get(bound.get(prefix, ""))
        if known:
            node[0] = f"{known}:{local}"
        elif colon and prefix in namespaces:
            node[0] = f"?:{local}"
        if node[2]:
            todo.extend((kid, bound) for tag, kids in node[2].items() if GROUP not in tag for kid in kids)
            rename.append(node)
    for node in rename:
        children: dict[str, list[Node]] = {}
        for tag, kids in node[2].items():
            if GROUP in tag:
                children[tag] = kids
                continue
            for kid in kids:
                children.setdefault(kid[0], []).append(kid)
        node[2] = children
    return root
