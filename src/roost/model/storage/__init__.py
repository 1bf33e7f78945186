"""The documents of storage: pools of every type, volumes, and what types of pool there are.

`parse_…` makes a record of XML, `complete_…` fills in what libvirt adds and
refuses what libvirt refuses, `format_…` writes it. The types of pool are a
table, `kinds`. May enter: records and dry rules of storage.
"""

from roost.model.storage.capabilities import StoragePoolCapabilities, format_capabilities, pool_capabilities
from roost.model.storage.complete import complete_pool, complete_volume
from roost.model.storage.document import (
    format_pool,
    format_sources,
    format_volume,
    parse_pool,
    parse_source,
    parse_volume,
)
from roost.model.storage.kinds import KINDS, PoolKind, PoolType, VolumeType
from roost.model.storage.pool import Pool, PoolSource
from roost.model.storage.volume import Volume
from roost.model.storage.volume_rules import check_new_file

__all__ = [
    "KINDS", "Pool", "PoolKind", "PoolSource", "PoolType", "StoragePoolCapabilities", "Volume", "VolumeType",
    "check_new_file", "complete_pool", "complete_volume", "format_capabilities", "format_pool", "format_sources",
    "format_volume", "parse_pool", "parse_source", "parse_volume", "pool_capabilities",
]  # fmt: skip
