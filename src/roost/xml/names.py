"""Namespaces: whatever prefix a document binds to a known URI becomes the usual one."""

from __future__ import annotations

from roost.xml.tree import Event


def canonical_names(events: list[Event], namespaces: dict[str, str]) -> list[Event]:
    """The events with every element of a known namespace named `prefix:name`.

    namespaces: usual prefix to URI. An element that has the usual prefix
    without its being bound to the URI loses it to `?`, and so counts as unknown.
    """
    usual = {uri: prefix for prefix, uri in namespaces.items()}
    named: list[Event] = []
    #: Per open element, what prefixes are bound to.
    bindings: list[dict[str, str]] = [{}]
    for event in events:
        if isinstance(event, tuple):
            tag, attributes = event
            declared = {
                name[6:]: uri for name, uri in attributes.items() if name == "xmlns" or name.startswith("xmlns:")
            }
            bindings.append({**bindings[-1], **declared} if declared else bindings[-1])
            prefix, colon, local = tag.rpartition(":")
            known = usual.get(bindings[-1].get(prefix, ""))
            if known:
                tag = f"{known}:{local}"
            elif colon and prefix in namespaces:
                tag = f"?:{local}"
            named.append((tag, attributes))
        else:
            if isinstance(event, str):
                bindings.pop()
            named.append(event)
    return named
