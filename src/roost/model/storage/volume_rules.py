"""What makes libvirt refuse a volume that is well formed: any, and one that is to be made as a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from roost.errors import (
    ConfigUnsupported,
    From,
    InternalError,
    InvalidArg,
    NoSupport,
    OperationInvalid,
    RoostError,
    XmlError,
)
from roost.model.domain.validate.encryption import check_encryption
from roost.model.storage.kinds import PoolKind
from roost.model.storage.rules import check_format
from roost.model.storage.volume import Volume


def check_volume(volume: Volume, kind: PoolKind, *, capacity_optional: bool) -> None:
    """The rules on every volume, in libvirt's order. capacity_optional: a backing image may give it."""
    backing = volume.backing_store
    text = "unknown volume format type %s"
    backed = backing is not None and backing.path is not None
    if backing is not None and backed:
        check_format(backing.format, kind.volume_formats, text)
    if volume.capacity is None and not (capacity_optional and backed):
        raise XmlError("missing capacity element", domain=From.STORAGE, hint="<capacity unit='GiB'>10</capacity>")
    check_format(volume.target.format, kind.volume_formats, text)
    if volume.target.encryption is not None:
        check_encryption(volume.target.encryption)


class _Rule(NamedTuple):
    """broken: whether a volume breaks it. The rest: the error to raise then; in `text`, %f is the volume's format."""

    broken: Callable[[Volume], object]
    error: type[RoostError]
    text: str
    hint: str = ""


def _encryption(volume: Volume) -> str:
    return volume.target.encryption.format if volume.target.encryption else ""


def _is_qcow2(volume: Volume) -> bool:
    return volume.target.format == "qcow2"


def _is_raw(volume: Volume) -> bool:
    return volume.target.format in ("raw", "iso")


def _old_compat(volume: Volume, feature: str) -> bool:
    features = volume.target.features
    return volume.target.compat == "0.10" and features is not None and getattr(features, feature)


def _secrets(volume: Volume) -> int:
    return len(volume.target.encryption.secrets) if volume.target.encryption else 0


_DIRECTORY = (_Rule(lambda v: v.backing_store, NoSupport, "backing storage not supported for directories volumes"),)

#: Of files that qemu-img makes, in libvirt's order.
_IMAGE = (
    _Rule(
        lambda v: _encryption(v) and _secrets(v) != 1,
        InvalidArg,
        "A single <secret type='passphrase'...> element is expected in encryption description",
    ),
    _Rule(
        lambda v: v.target.format in ("qcow", "qcow2") and _encryption(v) in ("qcow", "default"),
        ConfigUnsupported,
        "creation of qcow2 encrypted image is not supported",
        "<encryption format='luks'> is",
    ),
    _Rule(
        lambda v: v.target.compat and not _is_qcow2(v),
        ConfigUnsupported,
        "compatibility option only available with qcow2",
    ),
    _Rule(
        lambda v: v.target.features and not _is_qcow2(v), ConfigUnsupported, "format features only available with qcow2"
    ),
    _Rule(
        lambda v: _is_raw(v) and _encryption(v) not in ("", "luks"),
        InternalError,
        "Only luks encryption is supported for raw files",
    ),
    _Rule(
        lambda v: v.backing_store and _is_raw(v),
        ConfigUnsupported,
        "cannot set backing store for raw volume",
        "a qcow2 volume can have one",
    ),
    _Rule(
        lambda v: _encryption(v) and not _is_raw(v) and not _is_qcow2(v),
        ConfigUnsupported,
        "volume encryption unsupported with format %f",
    ),
    _Rule(lambda v: _encryption(v) == "luks2", ConfigUnsupported, "unsupported volume encryption format 3"),
    _Rule(
        lambda v: _old_compat(v, "lazy_refcounts"),
        ConfigUnsupported,
        "lazy_refcounts not supported with compat level 0.10",
    ),
    _Rule(
        lambda v: _old_compat(v, "extended_l2"),
        ConfigUnsupported,
        "'extended_l2' not supported with compat level 0.10",
    ),
)


def check_new_file(volume: Volume) -> None:
    """The rules on a completed volume that is to be made in a directory. Raises libvirt's errors."""
    if "/" in volume.name:
        raise OperationInvalid(f"volume name '{volume.name}' cannot contain '/'", domain=From.STORAGE)
    target = volume.target
    rules: tuple[_Rule, ...] = _IMAGE
    if target.format == "dir":
        rules = _DIRECTORY
    elif target.format == "raw" and target.encryption is None:
        rules = ()
    for rule in rules:
        if rule.broken(volume):
            raise rule.error(rule.text.replace("%f", target.format or ""), domain=From.STORAGE, hint=rule.hint)


__all__ = ["check_new_file", "check_volume"]
