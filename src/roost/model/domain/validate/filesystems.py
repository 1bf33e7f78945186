"""Rules about file systems that guests share with the host."""

from __future__ import annotations

from typing import Any

from roost.errors import ConfigUnsupported, From, NoTarget
from roost.model.domain.domain import Domain
from roost.model.domain.validate.images import requires_shared_memory
from roost.model.domain.validate.rules import Rule, Rules


def _kind(f: Any) -> str | None:
    kind: str | None = f.driver.type if f.driver is not None else None
    return kind


def _is_virtiofs(f: Any) -> bool:
    return _kind(f) == "virtiofs"


def _starts_virtiofsd(f: Any) -> bool:
    """Whether the daemon runs virtiofsd itself."""
    return _is_virtiofs(f) and getattr(f.source, "socket", None) is None


RULES = Rules(
    Rule(
        lambda f, c: f.target is None,
        "{d.place}",
        "<target dir='...'/>, the name under which the guest mounts it",
        NoTarget,
        From.DOMAIN,
    ),
    Rule(
        lambda f, c: not _is_virtiofs(f),
        "boot order is only supported for virtiofs",
        "<driver type='virtiofs'/>",
        origin=From.DOMAIN,
        about="boot",
    ),
    Rule(lambda f, c: f.type != "mount", "only supports mount filesystem type", "type='mount'"),
    Rule(
        lambda f, c: (f.fmode or f.dmode) and f.access_mode != "mapped",
        "fmode and dmode must be used with accessmode=mapped",
        "accessmode='mapped'",
    ),
    Rule(
        lambda f, c: _kind(f) == "handle" and f.access_mode != "passthrough",
        "only supports passthrough accessmode",
        "accessmode='passthrough'",
    ),
    Rule(
        lambda f, c: _starts_virtiofsd(f) and f.readonly,
        "virtiofs does not yet support read-only mode",
        "leave <readonly/> out and mount it read-only in the guest",
        about="readonly",
    ),
    Rule(
        lambda f, c: _starts_virtiofsd(f) and f.access_mode != "passthrough",
        "virtiofs only supports passthrough accessmode",
        "accessmode='passthrough'",
    ),
    Rule(
        lambda f, c: _starts_virtiofsd(f) and f.driver.wrpolicy is not None,
        "virtiofs does not support wrpolicy",
    ),
    Rule(
        lambda f, c: _is_virtiofs(f),
        "virtiofs does not support model",
        about="model",
    ),
    Rule(lambda f, c: _is_virtiofs(f) and f.driver.format is not None, "virtiofs does not support format"),
    Rule(
        lambda f, c: _is_virtiofs(f) and "vhost-user-fs-device" not in c.facts.devices,
        "virtiofs is not supported with this QEMU binary",
    ),
    Rule(
        lambda f, c: _is_virtiofs(f),
        "virtiofs does not support multidevs",
        about="multidevs",
    ),
    Rule(lambda f, c: _is_virtiofs(f) and (f.fmode or f.dmode), "virtiofs does not support fmode and dmode"),
    requires_shared_memory("virtiofs", _is_virtiofs),
)


def check_targets(domain: Domain) -> None:
    """Raises for two virtiofs file systems with one mount tag."""
    seen: set[str | None] = set()
    for filesystem in domain.devices.filesystems:
        if not _is_virtiofs(filesystem):
            continue
        if filesystem.target in seen:
            raise ConfigUnsupported(
                f"filesystem target '{filesystem.target}' specified twice",
                domain=From.DOMAIN,
                hint="the guest tells them apart by their targets",
            )
        seen.add(filesystem.target)


__all__ = ["RULES", "check_targets"]
