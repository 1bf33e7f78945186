"""What the guest boots from, and what its firmware tells it: <os>, <sysinfo>, <genid>."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from roost.errors import ConfigUnsupported, From, XmlDetail
from roost.model.domain.draft import Draft
from roost.model.domain.os import FirmwareFeature, Loader, Nvram, Os, nvram_path
from roost.model.domain.security import Genid
from roost.model.domain.sysinfo import SMBIOS_ENTRIES, BaseBoard, FwCfgSysinfo, SmbiosSysinfo, SysinfoEntry
from roost.model.shared.identity import random_uuid
from roost.xml.values import UuidText

#: More <boot> elements than there are kinds of boot device are ignored.
_MAX_BOOT_DEVICES = 4
_UUID = UuidText()


def complete_identity(draft: Draft) -> None:
    """The UUID, which <sysinfo> may bring, and an identifier of the generation where one is asked for."""
    domain = draft.domain
    sysinfo = tuple(
        _with_known_entries(info) if isinstance(info, SmbiosSysinfo) else _with_files(info) for info in domain.sysinfo
    )
    if sysinfo:
        draft.changes["sysinfo"] = sysinfo
    if domain.uuid is None:
        draft.changes["uuid"] = system_uuid(sysinfo) or random_uuid(draft.entropy)
    if domain.genid is not None and domain.genid.value is None:
        draft.changes["genid"] = Genid(value=random_uuid(draft.entropy))


def system_uuid(sysinfo: Sequence[Any]) -> str | None:
    """The UUID that the guest is told by its firmware."""
    for info in sysinfo:
        for entry in getattr(info, "system", ()):
            if entry.name == "uuid":
                return str(entry.value)
    return None


def _with_files(info: FwCfgSysinfo) -> FwCfgSysinfo:
    """An entry that names a file has no text."""
    return replace(info, entries=tuple(replace(entry, value=None) if entry.file else entry for entry in info.entries))


def _with_known_entries(info: SmbiosSysinfo) -> SmbiosSysinfo:
    boards = [BaseBoard(entries=_known_entries("base_boards", board.entries)) for board in info.base_boards]
    return replace(
        info,
        bios=_known_entries("bios", info.bios),
        system=_known_entries("system", info.system),
        base_boards=tuple(board for board in boards if board.entries),
        chassis=_known_entries("chassis", info.chassis),
    )


def _known_entries(table: str, entries: Sequence[SysinfoEntry]) -> tuple[SysinfoEntry, ...]:
    """The first of each name that the table has, in its order. Raises XmlDetail for a UUID that is none."""
    values: dict[str, str | None] = {}
    for entry in entries:
        values.setdefault(entry.name, entry.value)
    if table == "system" and values.get("uuid"):
        try:
            values["uuid"] = _UUID.parse(str(values["uuid"]))
        except ValueError:
            raise XmlDetail(
                "malformed <sysinfo> uuid element", domain=From.DOMAIN, hint=f"expected {_UUID.expected}"
            ) from None
    return tuple([SysinfoEntry(name=name, value=values[name]) for name in SMBIOS_ENTRIES[table] if values.get(name)])


def complete_os(draft: Draft, boot_orders: list[int]) -> None:
    """Architecture, canonical machine, boot order, firmware. boot_orders: those given to devices."""
    before: Os = draft.domain.os
    boot = before.boot[:_MAX_BOOT_DEVICES]
    seen: set[int] = set()
    for order in boot_orders:
        if order in seen:
            raise ConfigUnsupported(f"boot order '{order}' used for more than one device", domain=From.DOMAIN)
        seen.add(order)
    if boot and boot_orders:
        raise ConfigUnsupported(
            "per-device boot elements cannot be used together with os/boot elements",
            domain=From.DOMAIN,
            hint="keep either <boot dev='...'/> in <os> or <boot order='...'/> in the devices",
        )
    if not boot and not boot_orders and before.type == "hvm":
        boot = ("hd",)
    draft.changes["os"] = replace(
        before,
        arch=draft.arch,
        machine=draft.machine,
        boot=boot,
        firmware_features=_features(before),
        loader=_loader(before),
        nvram=_nvram(draft, before),
        bootmenu_timeout=before.bootmenu_timeout if before.bootmenu else None,
        init=None,
        init_args=(),
        init_env=(),
        init_directory=None,
        init_user=None,
        init_group=None,
    )


def _features(os: Os) -> tuple[FirmwareFeature, ...]:
    """Each once, of several the last; keys of Secure Boot need a firmware that has it."""
    wanted = {feature.name: feature.enabled for feature in os.firmware_features}
    if wanted.get("enrolled-keys"):
        if wanted.get("secure-boot") is False:
            raise XmlDetail(
                "firmware feature 'enrolled-keys' cannot be enabled when firmware feature 'secure-boot' is disabled",
                domain=From.DOMAIN,
                hint="<feature enabled='yes' name='secure-boot'/>",
            )
        wanted["secure-boot"] = True
    return tuple(
        FirmwareFeature(enabled=enabled, name=name)
        for name in ("enrolled-keys", "secure-boot")
        if (enabled := wanted.get(name)) is not None
    )


def _loader(os: Os) -> Loader | None:
    loader = os.loader
    if loader is not None and loader.path and loader.type is None:
        return replace(loader, type="rom")
    return loader


def _nvram(draft: Draft, os: Os) -> Nvram | None:
    """A file for the variables of a flash image that has none: named here, made when the guest starts."""
    loader, nvram = os.loader, os.nvram
    if loader is None or loader.type != "pflash" or not loader.path or not loader.readonly or loader.stateless:
        return nvram
    if nvram is not None and (nvram.path or nvram.source is not None):
        return nvram
    return replace(nvram or Nvram(), path=nvram_path(draft.facts.nvram_directory, draft.domain.name))


__all__ = ["complete_identity", "complete_os", "system_uuid"]
