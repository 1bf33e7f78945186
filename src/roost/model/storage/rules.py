"""What makes libvirt refuse a pool that is well formed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from roost.errors import ConfigUnsupported, From, InternalError, NoSupport, RoostError, XmlDetail, XmlError
from roost.model.domain.validate.encryption import check_secret_reference
from roost.model.shared.pci import check_pci_location
from roost.model.storage.kinds import NETWORK_FILE_SYSTEMS, Formats, PoolKind
from roost.model.storage.pool import Adapter, Pool, PoolSource

_WWN = re.compile(r"(?:0x)?[0-9a-fA-F]{16}")


class _Rule(NamedTuple):
    """broken: whether the document breaks it. The rest: the error to raise then."""

    broken: Callable[[Pool, PoolKind], object]
    error: type[RoostError]
    text: str
    hint: str = ""
    domain: int = From.STORAGE


def check_format(name: str | None, formats: Formats | None, text: str) -> None:
    """Raises ConfigUnsupported for a format that this type of pool does not have. text: with %s for the name."""
    if name is not None and formats is not None and name not in formats.names:
        raise ConfigUnsupported(
            text.replace("%s", name), domain=From.STORAGE, hint=f"it is one of {', '.join(formats.names)}"
        )


def check_source(source: PoolSource, kind: PoolKind) -> None:
    """The rules on a source by itself, in libvirt's order."""
    if kind.type == "rbd" and source.name is None and source != PoolSource():
        raise XmlError(
            "element 'name' is mandatory for RBD pool", domain=From.STORAGE, hint="the name of the Ceph pool"
        )
    check_format(source.format, kind.formats, "unknown pool format type %s")
    if source.adapter is not None:
        _check_adapter_written(source.adapter)
    if source.auth is not None:
        check_secret_reference(source.auth.secret)
        if source.auth.type is None:
            raise ConfigUnsupported(
                "storage pool missing auth type", domain=From.STORAGE, hint="<auth type='chap'> or 'ceph'"
            )
    _check_protocol(source, kind)


def _check_protocol(source: PoolSource, kind: PoolKind) -> None:
    if source.protocol_version is None:
        return
    # libvirt compares the formats of all types by their number.
    number = kind.formats.names.index(source.format or kind.formats.default) if kind.formats else 0
    if number > 1:
        what = NETWORK_FILE_SYSTEMS[number] if number < len(NETWORK_FILE_SYSTEMS) else "(null)"
        raise ConfigUnsupported(
            f"storage pool protocol ver unsupported for pool type '{what}'",
            domain=From.STORAGE,
            hint="<protocol ver='...'/> is for NFS",
        )
    if "," in source.protocol_version:
        raise XmlDetail(
            f"storage pool protocol ver '{source.protocol_version}' must not contain ','", domain=From.STORAGE
        )


def _check_adapter_written(adapter: Adapter) -> None:
    if adapter.type is None:
        if adapter.wwnn or adapter.wwpn or adapter.parent:
            raise XmlError(
                "Use of 'wwnn', 'wwpn', and 'parent' attributes requires use of the adapter 'type'",
                domain=From.STORAGE,
                hint="<adapter type='fc_host' ...>",
            )
        if adapter.parent_address is not None:
            raise XmlError(
                "Use of 'parentaddr' element requires use of the adapter 'type'",
                domain=From.STORAGE,
                hint="<adapter type='scsi_host'>",
            )
    elif adapter.type == "scsi_host" and adapter.parent_address is not None:
        check_pci_location(adapter.parent_address.address)


def check_pool(pool: Pool, kind: PoolKind) -> None:
    """The rules on a pool whose source was checked. `pool` is as it was written."""
    for rule in _POOL_RULES:
        if rule.broken(pool, kind):
            text = rule.text.replace("%s", pool.name or "")
            raise rule.error(text, domain=rule.domain, hint=rule.hint)


def _adapter_problem(pool: Pool, kind: PoolKind) -> None:
    """Raises the error about the adapter of a pool that needs one."""
    if "adapter" not in kind.parts:
        return
    adapter = pool.source.adapter
    if adapter is None or (adapter.type is None and adapter.name is None):
        raise XmlError("missing storage pool source adapter", domain=From.STORAGE, hint="<adapter name='host0'/>")
    if adapter.type == "fc_host":
        _check_fibre_channel(adapter)
        return
    if (adapter.name is None) == (adapter.parent_address is None):
        which = "Either" if adapter.name is None else "Both"
        can = "must" if adapter.name is None else "cannot"
        joined = "or" if adapter.name is None else "and"
        raise XmlError(
            f"{which} 'name' {joined} 'parent' {can} be specified for the 'scsi_host' adapter",
            domain=From.STORAGE,
            hint="name='host0', or a <parentaddr>",
        )


def _check_fibre_channel(adapter: Adapter) -> None:
    if adapter.wwnn is None or adapter.wwpn is None:
        raise XmlError("'wwnn' and 'wwpn' must be specified for adapter type 'fchost'", domain=From.STORAGE)
    _check_wwns(adapter.wwnn, adapter.wwpn)
    for given, value, needed, other in (
        ("parent_wwnn", adapter.parent_wwnn, "parent_wwpn", adapter.parent_wwpn),
        ("parent_wwpn", adapter.parent_wwpn, "parent_wwnn", adapter.parent_wwnn),
    ):
        if value is not None and other is None:
            raise XmlError(f"when providing {given}='{value}', the {needed} must also be provided", domain=From.STORAGE)
    _check_wwns(adapter.parent_wwnn, adapter.parent_wwpn, adapter.parent_fabric_wwn)


def _check_wwns(*wwns: str | None) -> None:
    for wwn in wwns:
        if wwn is not None and _WWN.fullmatch(wwn) is None:
            raise InternalError(f"Malformed wwn: {wwn}", domain=From.NONE, hint="16 hexadecimal digits")


def _nameless_option(pool: Pool, kind: PoolKind) -> None:
    """Raises the error about options that lack a part."""
    if kind.options == "rbd" and pool.config_options is not None:
        for option in pool.config_options.options:
            problem = ""
            if not option.name:
                problem = "empty rbd option name specified"
            elif not option.value:
                lacks = "no" if option.value is None else "empty"
                problem = f"{lacks} rbd option value specified for name '{option.name}'"
            if problem:
                raise XmlError(problem, domain=From.STORAGE)


#: In libvirt's order. A rule that finds its own words raises by itself.
_POOL_RULES = (
    _Rule(
        lambda p, _: p.name is None,
        XmlError,
        "missing pool source name element",
        "<name> names the pool",
    ),
    _Rule(lambda p, _: "/" in (p.name or ""), XmlError, "name %s cannot contain '/'"),
    _Rule(
        lambda p, _: p.cow is not None and p.type not in ("fs", "dir"),
        NoSupport,
        "cow feature may only be used for 'fs' and 'dir' pools",
    ),
    _Rule(
        lambda p, k: "host" in k.parts and not p.source.hosts,
        XmlError,
        "missing storage pool source host name",
        "<source><host name='...'/>",
    ),
    _Rule(
        lambda p, k: "dir" in k.parts and p.source.dir is None,
        XmlError,
        "missing storage pool source path",
        "<source><dir path='...'/>",
    ),
    _Rule(_adapter_problem, XmlError, ""),
    _Rule(
        lambda p, k: k.parts == {"device"} and not p.source.devices,
        XmlError,
        "missing storage pool source device name",
        "<source><device path='...'/>",
    ),
    _Rule(
        lambda p, k: not k.networked and (p.target is None or p.target.path is None),
        XmlError,
        "missing storage pool target path",
        "<target><path>/a/directory</path>",
    ),
    _Rule(
        lambda p, k: k.type == "iscsi-direct" and p.source.initiator is None,
        ConfigUnsupported,
        "missing initiator IQN",
        "<source><initiator><iqn name='...'/>",
    ),
    _Rule(_nameless_option, XmlError, ""),
    _Rule(lambda p, _: "\n" in (p.name or ""), XmlDetail, "invalid char in name: \n", domain=From.XML),
)


__all__ = ["check_format", "check_pool", "check_source"]
