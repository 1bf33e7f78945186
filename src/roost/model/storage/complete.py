"""What libvirt adds to pools and volumes before it keeps them, and what it leaves out."""

from __future__ import annotations

import secrets

from msgspec.structs import replace

from roost.model.domain.devices.disksource import Encryption
from roost.model.shared.identity import Entropy, random_uuid
from roost.model.storage.kinds import KINDS, PoolKind
from roost.model.storage.paths import tidy_path
from roost.model.storage.permissions import Permissions
from roost.model.storage.pool import Adapter, MountOptions, Pool, PoolSource, PoolTarget
from roost.model.storage.rules import check_pool, check_source
from roost.model.storage.volume import Volume
from roost.model.storage.volume_rules import check_volume

#: Pools whose directory is named after their source.
_DEVICE_DIRECTORIES = {"logical": "/dev/", "zfs": "/dev/zvol/"}
#: What a qcow2 file with features must at least be.
_FEATURES_COMPAT = "1.1"


def complete_pool(pool: Pool, *, entropy: Entropy = secrets.token_bytes) -> Pool:
    """The pool as it will be kept and shown.

    What its type does not use is left out. entropy: random bytes, for a UUID.
    Raises libvirt's errors, with what to do about them.
    """
    kind = KINDS[pool.type]
    check_source(pool.source, kind)
    source = complete_source(pool.source, kind)
    if "name" in kind.parts:
        pool = replace(pool, name=pool.name or source.name)
        source = replace(source, name=source.name or pool.name)
    directory = _DEVICE_DIRECTORIES.get(kind.type)
    if directory is not None:
        permissions = pool.target.permissions if pool.target else None
        pool = replace(pool, target=PoolTarget(path=f"{directory}{source.name}", permissions=permissions))
    check_pool(replace(pool, source=replace(source, adapter=pool.source.adapter)), kind)
    return replace(
        pool,
        uuid=pool.uuid or random_uuid(entropy),
        source=source,
        target=None if kind.networked else _completed_target(pool.target),
        mount_options=pool.mount_options if kind.options == "fs" and pool.mount_options != MountOptions() else None,
        config_options=pool.config_options if kind.options == "rbd" else None,
    )


def complete_source(source: PoolSource, kind: PoolKind) -> PoolSource:
    """The parts that this type of pool uses, with its defaults."""
    parts = kind.parts
    directory = tidy_path(source.dir) if source.dir is not None else None
    if directory is None and kind.type == "gluster":
        directory = "/"
    return replace(
        source,
        hosts=source.hosts if "host" in parts else (),
        devices=source.devices if "device" in parts else (),
        dir=directory if "dir" in parts else None,
        adapter=_completed_adapter(source.adapter) if source.adapter and "adapter" in parts else None,
        name=source.name if "name" in parts else None,
        initiator=source.initiator if "initiator" in parts else None,
        format=(source.format or kind.formats.default) if kind.formats else None,
    )


def _completed_adapter(adapter: Adapter) -> Adapter:
    if adapter.type == "fc_host":
        return replace(adapter, name=None, parent_address=None)
    return Adapter(type="scsi_host", name=adapter.name, parent_address=adapter.parent_address)


def _completed_target(target: PoolTarget | None) -> PoolTarget | None:
    if target is None or target.path is None:
        return target
    permissions = None if target.permissions == Permissions() else target.permissions
    return PoolTarget(path=tidy_path(target.path), permissions=permissions)


def complete_volume(volume: Volume, pool: Pool, *, capacity_optional: bool = False) -> Volume:
    """The volume as it is to be made in `pool`; the driver then says where it lies and what it takes.

    capacity_optional: the capacity may be that of the backing image, as in
    a new volume. Raises libvirt's errors, with what to do about them.
    """
    kind = KINDS[pool.type]
    check_volume(volume, kind, capacity_optional=capacity_optional)
    capacity = volume.capacity or 0
    default = kind.volume_formats.default if kind.volume_formats else None
    target = volume.target
    target = replace(
        target,
        format=(target.format or default) if default else None,
        encryption=_completed_encryption(target.encryption) if target.encryption else None,
        compat=target.compat or (_FEATURES_COMPAT if target.features is not None else None),
    )
    backing = volume.backing_store
    if backing is not None:
        backing = replace(backing, format=(backing.format or default) if default else None) if backing.path else None
    return replace(
        volume,
        capacity=capacity,
        allocation=capacity if volume.allocation is None else volume.allocation,
        target=target,
        backing_store=backing,
    )


def _completed_encryption(encryption: Encryption) -> Encryption:
    """Ciphers are chosen for LUKS only."""
    return encryption if encryption.format == "luks" else replace(encryption, cipher=None, ivgen=None)


__all__ = ["complete_pool", "complete_source", "complete_volume"]
