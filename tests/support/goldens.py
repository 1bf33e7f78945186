"""The golden documents of every type, as far as they are accepted, for tests that hold for all of them."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import NamedTuple

from roost.errors import RoostError
from roost.model.documents import DOCUMENTS, DocumentType
from roost.xml import Record, parse_document

GOLDEN = Path(__file__).parents[1] / "golden"
_MARKUP = re.compile(rb"<[?!][^>]*>")
_ROOT = re.compile(rb"<([A-Za-z]+)")
_BY_TAG = {document.tag: document for document in DOCUMENTS}


class Golden(NamedTuple):
    """One document that is accepted, with what only a running thing has."""

    path: Path
    type: DocumentType
    data: bytes
    record: Record

    def __str__(self) -> str:
        return str(self.path.relative_to(GOLDEN))


def type_of(data: bytes) -> DocumentType | None:
    """The type of a document, by its root element."""
    root = _ROOT.search(_MARKUP.sub(b"", data))
    return _BY_TAG.get(root[1].decode()) if root else None


@functools.cache
def golden() -> tuple[Golden, ...]:
    """All of them, in a fixed order."""
    found = []
    for path in sorted(GOLDEN.rglob("*.xml")):
        data = path.read_bytes()
        document = type_of(data)
        if document is None:
            continue
        try:
            record = parse_document(data, document.cls, document.tag, name=document.name, live=True)
        except RoostError:
            continue
        found.append(Golden(path, document, data, record))
    return tuple(found)


def sample(step: int) -> tuple[Golden, ...]:
    """One in `step` of each type, and every document larger than 3 KB: the others resemble each other."""
    counts: dict[str, int] = {}
    chosen = []
    for document in golden():
        count = counts[document.type.schema] = counts.get(document.type.schema, -1) + 1
        if count % step == 0 or len(document.data) > 3000:
            chosen.append(document)
    return tuple(chosen)
