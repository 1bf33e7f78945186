"""The storage pool capabilities document: which types of pool there are, and their formats."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

from roost.model.storage.kinds import KINDS, Formats, PoolType
from roost.xml import Record, YesNo, at, format_document


class FormatEnum(Record):
    name: str
    values: Annotated[tuple[str, ...], at("value")] = ()


class FormatOptions(Record):
    default_format: Annotated[str, at("defaultFormat/@type")]
    enums: Annotated[tuple[FormatEnum, ...], at("enum", opened=True)] = ()


class PoolCapabilities(Record):
    type: PoolType
    supported: YesNo
    pool_options: Annotated[FormatOptions | None, at("poolOptions")] = None
    volume_options: Annotated[FormatOptions | None, at("volOptions")] = None


class StoragePoolCapabilities(Record):
    pools: Annotated[tuple[PoolCapabilities, ...], at("pool", opened=True)] = ()


def pool_capabilities(supported: Collection[str]) -> StoragePoolCapabilities:
    """The document. supported: the types of pool that this host can have."""
    return StoragePoolCapabilities(
        pools=tuple(
            PoolCapabilities(
                type=kind.type,
                supported=kind.type in supported,
                pool_options=_options(kind.formats, "sourceFormatType"),
                volume_options=_options(kind.volume_formats, "targetFormatType"),
            )
            for kind in KINDS.values()
        )
    )


def _options(formats: Formats | None, name: str) -> FormatOptions | None:
    if formats is None:
        return None
    return FormatOptions(default_format=formats.default, enums=(FormatEnum(name=name, values=formats.listed),))


def format_capabilities(capabilities: StoragePoolCapabilities) -> str:
    """The document, laid out as libvirt does."""
    return format_document(capabilities, "storagepoolCapabilities")


__all__ = [
    "FormatEnum", "FormatOptions", "PoolCapabilities", "StoragePoolCapabilities", "format_capabilities",
    "pool_capabilities",
]  # fmt: skip
