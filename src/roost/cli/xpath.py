"""`--xpath`: parts of a document. Needs lxml, which is loaded only here."""

from __future__ import annotations

from roost.cli.failure import CommandFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell


def select(document: str, expression: str, *, wrap: bool) -> str:
    """The nodes that `expression` selects, as XML, one after the other or in one <nodes> element."""
    try:
        from lxml import etree  # type: ignore[import-untyped]
    except ImportError:
        raise CommandFailed(
            "--xpath needs the Python package lxml: install python3-lxml, or pip install lxml"
        ) from None
    parser = etree.XMLParser(remove_blank_text=True, resolve_entities=False)
    root = etree.fromstring(document.encode("utf-8", "surrogateescape"), parser)
    try:
        found = root.xpath(expression)
    except etree.XPathError as error:
        raise CommandFailed(f"internal error: Incorrect xpath '{expression}'", str(error)) from None
    if not isinstance(found, list):
        raise CommandFailed(
            f"internal error: Incorrect xpath '{expression}'; it gives a value, and only nodes can be shown"
        )
    if wrap:
        found = [_wrapped(etree, found)]
    return "".join(_show(etree, node) + "\n" for node in found)


def _wrapped(etree: Any, nodes: list[Any]) -> Any:
    top = etree.Element("nodes")
    for node in nodes:
        if etree.iselement(node):
            top.append(node)
        elif node.is_attribute:
            top.set(node.attrname, str(node))
        elif len(top):
            top[-1].tail = (top[-1].tail or "") + str(node)
        else:
            top.text = (top.text or "") + str(node)
    return top


def _show(etree: Any, node: Any) -> str:
    if etree.iselement(node):
        text: str = etree.tostring(node, pretty_print=True, encoding="unicode", with_tail=False)
        return text.rstrip("\n")
    return f' {node.attrname}="{node}"' if node.is_attribute else str(node)


def show(shell: Shell, arguments: Arguments, text: str) -> None:
    """A document, or what --xpath selects of it."""
    path = arguments.text("xpath")
    shell.write(text if path is None else select(text, path, wrap=arguments.has("wrap")))
