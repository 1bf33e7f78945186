"""Changes of persistent definitions."""

from __future__ import annotations

from typing import Any

from roost.engine.record import Definition, Record
from roost.engine.store import DefinitionStore
from roost.model import domain as model
from roost.model.domain import Domain


async def redefine(store: DefinitionStore, record: Record[Any], document: Domain) -> None:
    """Replace a record's definition, on disk first. The caller holds the store's lock."""
    text = model.format(document, secure=True)
    await store.save_definition(record.name, text)
    record.definition = Definition(text, document)
