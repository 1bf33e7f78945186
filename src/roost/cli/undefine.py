"""`undefine`: which flags to send depends on what the domain has, and volumes may go with it."""

from __future__ import annotations

from roost.cli.failure import CommandFailed, failing
from roost.cli.parser import split_list
from roost.cli.xmltree import parse
from roost.constants import domain as constants
from roost.constants import snapshot, storage
from roost.errors import NoSupport, RoostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell
    from roost.client.records import Domain

_FLAGS = (
    ("managed-save", constants.UNDEFINE_MANAGED_SAVE),
    ("snapshots-metadata", constants.UNDEFINE_SNAPSHOTS_METADATA),
    ("checkpoints-metadata", constants.UNDEFINE_CHECKPOINTS_METADATA),
    ("nvram", constants.UNDEFINE_NVRAM),
    ("keep-nvram", constants.UNDEFINE_KEEP_NVRAM),
    ("tpm", constants.UNDEFINE_TPM),
    ("keep-tpm", constants.UNDEFINE_KEEP_TPM),
)


class _Volume:
    """A volume to remove. target, source: of the disk it belongs to; handle: what the daemon calls it."""

    def __init__(self, target: str, source: str, handle: Any) -> None:
        self.target = target
        self.source = source
        self.handle = handle


def undefine(shell: Shell, arguments: Arguments) -> None:
    """Remove the configuration and what the options name with it."""
    if arguments.has("delete-storage-volume-snapshots") and not arguments.has("remove-all-storage"):
        raise CommandFailed("Option --remove-all-storage is required by option --delete-storage-volume-snapshots")
    arguments.exclude(("nvram", "keep-nvram"), ("tpm", "keep-tpm"))
    storage_names = next((value for option, value in arguments.given if option.name == "storage" and value), None)
    with_storage = storage_names is not None or arguments.has("remove-all-storage")
    if arguments.has("wipe-storage") and not with_storage:
        raise CommandFailed("'--wipe-storage' requires '--storage <string>' or '--remove-all-storage'")
    name = arguments.required("domain")
    domain = shell.domain(arguments)
    running = shell.client.call("DOMAIN_IS_ACTIVE", domain)[0]
    flags = sum(value for option, value in _FLAGS if arguments.has(option))
    flags &= ~_absent(shell, domain, running=bool(running))
    volumes: list[_Volume] = []
    if with_storage:
        if running:
            raise CommandFailed("Storage volume deletion is supported only on stopped domains")
        if storage_names is not None and arguments.has("remove-all-storage"):
            raise CommandFailed("Specified both --storage and --remove-all-storage")
        volumes = _volumes(shell, domain, storage_names)
    with failing(f"Failed to undefine domain '{name}'"):
        shell.client.call("DOMAIN_UNDEFINE_FLAGS", domain, flags)
    shell.extra(f"Domain '{name}' has been undefined\n")
    _remove(shell, arguments, volumes)


def _absent(shell: Shell, domain: Domain, *, running: bool) -> int:
    """Flags for things the domain does not have: a daemon that never heard of them need not see them."""
    absent = constants.UNDEFINE_MANAGED_SAVE | constants.UNDEFINE_SNAPSHOTS_METADATA
    if running:
        return absent
    client = shell.client
    try:
        if client.call("DOMAIN_HAS_MANAGED_SAVE_IMAGE", domain, 0)[0]:
            absent &= ~constants.UNDEFINE_MANAGED_SAVE
    except NoSupport:
        pass
    try:
        if (
            client.call("DOMAIN_SNAPSHOT_NUM", domain, 0)[0]
            and client.call("DOMAIN_SNAPSHOT_NUM", domain, snapshot.LIST_METADATA)[0]
        ):
            absent &= ~constants.UNDEFINE_SNAPSHOTS_METADATA
    except NoSupport:
        pass
    return absent


def _volumes(shell: Shell, domain: Domain, names: str | None) -> list[_Volume]:
    """The volumes behind the domain's disks; with `names`, those among them."""
    wanted = split_list(names) if names is not None else None
    volumes: list[_Volume] = []
    for disk in parse(shell.xml(domain)).all("devices/disk"):
        target = disk.attribute("target", "dev") or ""
        source = disk.attribute("source", "file", "dir", "name", "dev", "volume")
        if source is None:
            continue
        if wanted is not None:
            named = next((word for word in wanted if word in (target, source)), None)
            if named is None:
                continue
            wanted.remove(named)
        handle = _find(shell, disk.attribute("source", "pool"), target, source)
        if handle is not None:
            volumes.append(_Volume(target, source, handle))
    if wanted:
        raise CommandFailed(*(f"Volume '{word}' was not found in domain's definition.\n" for word in wanted))
    return volumes


def _find(shell: Shell, pool: str | None, target: str, source: str) -> Any:
    client = shell.client
    try:
        if pool is None:
            return client.call("STORAGE_VOL_LOOKUP_BY_PATH", source)[0]
        try:
            handle = client.call("STORAGE_POOL_LOOKUP_BY_NAME", pool)[0]
        except RoostError:
            shell.error(f"Storage pool '{pool}' for volume '{target}' not found.")
            return None
        return client.call("STORAGE_VOL_LOOKUP_BY_NAME", handle, source)[0]
    except RoostError:
        shell.error(f"Storage volume '{target}'({source}) is not managed by libvirt. Remove it manually.\n")
        return None


def _remove(shell: Shell, arguments: Arguments, volumes: list[_Volume]) -> None:
    flags = storage.VOL_DELETE_WITH_SNAPSHOTS if arguments.has("delete-storage-volume-snapshots") else 0
    failed = False
    for volume in volumes:
        if arguments.has("wipe-storage"):
            shell.extra(f"Wiping volume '{volume.target}'({volume.source}) ... ")
            try:
                shell.client.call("STORAGE_VOL_WIPE", volume.handle, 0)
            except RoostError as error:
                shell.error("Failed! Volume not removed.")
                shell.error(error.message)
                failed = True
                continue
            shell.extra("Done.\n")
        try:
            shell.client.call("STORAGE_VOL_DELETE", volume.handle, flags)
        except RoostError as error:
            shell.error(f"Failed to remove storage volume '{volume.target}'({volume.source})")
            shell.error(error.message)
            failed = True
        else:
            shell.extra(f"Volume '{volume.target}'({volume.source}) removed.\n")
    if failed:
        raise CommandFailed
