"""Storage documents in and out: pools, volumes, and sources of pools that were found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from msgspec.structs import replace

from roost.errors import From
from roost.model.storage.complete import complete_source
from roost.model.storage.kinds import KINDS, PoolType
from roost.model.storage.pool import Pool, PoolSource
from roost.model.storage.rules import check_source
from roost.model.storage.volume import Volume
from roost.xml import Record, at, format_document, parse_document


def parse_pool(xml: str | bytes, *, validate: bool = False, live: bool = False) -> Pool:
    """The pool an XML document describes.

    live: keep what only a running pool has, its sizes, as when a saved status is read back.
    Raises RoostError with libvirt's code; nothing else, whatever the bytes.
    """
    name = "(storage_pool_definition)"
    return parse_document(xml, Pool, "pool", name=name, origin=From.STORAGE, live=live, validate=validate)


def format_pool(pool: Pool) -> str:
    """The document, laid out as libvirt does."""
    return format_document(pool, "pool")


def parse_volume(xml: str | bytes, *, validate: bool = False, live: bool = False) -> Volume:
    """The volume an XML document describes. live: keep what only an existing volume has. Raises as `parse_pool`."""
    name = "(storage_volume_definition)"
    return parse_document(xml, Volume, "volume", name=name, origin=From.STORAGE, live=live, validate=validate)


def format_volume(volume: Volume) -> str:
    """The document, laid out as libvirt does."""
    return format_document(replace(volume, target=replace(volume.target, nocow=False)), "volume")


def parse_source(xml: str | bytes, type: PoolType) -> PoolSource:
    """Where to look for sources of pools of a type: a document of one <source>. Raises as `parse_pool`."""
    source = parse_document(xml, PoolSource, "source", name="(storage_source_specification)", origin=From.STORAGE)
    check_source(source, KINDS[type])
    return complete_source(source, KINDS[type])


class PoolSources(Record):
    """Sources that were found."""

    sources: Annotated[tuple[PoolSource, ...], at("source")] = ()


def format_sources(sources: Iterable[PoolSource], type: PoolType) -> str:
    """The document of the sources found for pools of a type."""
    found = tuple(complete_source(source, KINDS[type]) for source in sources)
    return format_document(PoolSources(sources=found), "sources")


__all__ = [
    "PoolSources", "format_pool", "format_sources", "format_volume", "parse_pool", "parse_source", "parse_volume",
]  # fmt: skip
