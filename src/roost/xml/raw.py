"""Subtrees kept as they are: captured as compact text, written indented the way libxml2 does.

Compact means: white space between elements removed, attributes in double
quotes. Indentation is then put back for the depth at which the subtree stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from roost.xml.escape import escape_raw_attribute, escape_raw_text

#: Levels of nesting in any document; libxml2's own limit.
MAX_DEPTH = 256


class TooDeep(Exception):
    """Elements are nested deeper than MAX_DEPTH."""


class RawCapture:
    """Takes over an expat parser's handlers until `tag` closes, then gives the text to `done`.

    Of the children of `tag` itself only elements are kept, and the first of each namespace: the rest has no owner.
    """

    def __init__(self, parser: Any, tag: str, attributes: dict[str, str], done: Callable[[str], None]) -> None:
        self.parser, self.done = parser, done
        self.saved = (parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler)
        self.out: list[str] = []
        #: Per open element: whether blanks between its further children count; None for no child so far.
        self.content: list[bool | None] = []
        self.blank = ""
        self.inherited = attributes
        self.namespaces: set[str] = set()
        #: Where the output stood when a child that is not kept began.
        self.mark: int | None = None
        parser.StartElementHandler, parser.EndElementHandler = self.start, self.end
        parser.CharacterDataHandler, parser.CommentHandler = self.text, self.comment
        self.start(tag, attributes)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self.content) == 1 and not self._owned(tag, attributes):
            self.mark = len(self.out)
        else:
            self._child()
        # Namespaces come first.
        written = "".join([f' {k}="{escape_raw_attribute(v)}"' for k, v in attributes.items() if k[:5] == "xmlns"])
        written += "".join([f' {k}="{escape_raw_attribute(v)}"' for k, v in attributes.items() if k[:5] != "xmlns"])
        self.out.append(f"<{tag}{written}>")
        self.content.append(None)
        if len(self.content) > MAX_DEPTH:
            raise TooDeep

    def end(self, tag: str) -> None:
        if self.blank and self.content[-1] is None:
            self.out.append(self.blank)
            self.content[-1] = True
        self.blank = ""
        if self.content[-1] is None:
            self.out[-1] = self.out[-1][:-1] + "/>"
        else:
            self.out.append(f"</{tag}>")
        self.content.pop()
        if len(self.content) == 1 and self.mark is not None:
            del self.out[self.mark :]
            self.mark = None
        if self.content:
            return
        self.done("".join(self.out))
        parser = self.parser
        parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = self.saved
        parser.CommentHandler = None
        self.saved[1](tag)

    def _owned(self, tag: str, attributes: dict[str, str]) -> bool:
        """Whether a child belongs to a namespace not seen so far; a prefix bound further up counts as its own."""
        prefix, colon, _ = tag.rpartition(":")
        name = "xmlns" + colon + prefix
        uri = attributes.get(name) or self.inherited.get(name) or prefix
        if not uri or uri in self.namespaces:
            return False
        self.namespaces.add(uri)
        return True

    def text(self, text: str) -> None:
        if len(self.content) == 1:
            return
        if not text.strip(" \t\r\n") and not self.content[-1]:
            # Dropped unless nothing else comes.
            self.blank += text
            return
        text = self.blank + text
        self.blank = ""
        self.out.append(escape_raw_text(text))
        # libxml2 takes blanks for content once text was the first child, or began with a blank itself.
        self.content[-1] = self.content[-1] is not False or text[0] in " \t\r\n"

    def comment(self, text: str) -> None:
        if len(self.content) == 1:
            return
        self._child()
        self.out.append(f"<!--{text}-->")

    def _child(self) -> None:
        self.blank = ""
        if self.content and self.content[-1] is None:
            self.content[-1] = False


#: The pieces of a kept subtree: comments, tags, text.
TOKEN = re.compile(r"<!--.*?-->|<[^>]*>|[^<]+", re.DOTALL)


def indented(text: str, pad: str) -> str:
    """Compact `text` with one element a line from indentation `pad` on; elements with text stay on their line."""
    tokens = TOKEN.findall(text)
    textual = _textual(tokens)
    out: list[str] = []
    #: Per open element: whether its content stays on one line.
    open_elements: list[bool] = []
    for number, token in enumerate(tokens):
        flat = bool(open_elements) and open_elements[-1]
        if token.startswith("</"):
            open_elements.pop()
            out.append(token if flat else f"\n{pad}{'  ' * len(open_elements)}{token}")
            continue
        out.append(token if flat else f"\n{pad}{'  ' * len(open_elements)}{token}")
        if _opens(token):
            open_elements.append(flat or number in textual)
    return "".join(out)[1:] + "\n"


def _opens(token: str) -> bool:
    return token[0] == "<" and not token.endswith("/>") and not token.startswith("<!--")


def _textual(tokens: list[str]) -> set[int]:
    """The numbers of the opening tokens whose element has text among its children."""
    found: set[int] = set()
    stack: list[int] = []
    for number, token in enumerate(tokens):
        if token[0] != "<":
            if stack:
                found.add(stack[-1])
        elif token.startswith("</"):
            stack.pop()
        elif _opens(token):
            stack.append(number)
    return found
