"""Features in the form they are kept in: details of what is off mean nothing."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from roost.model.domain.draft import Draft
from roost.model.domain.features import Features, Gic, Hyperv

#: Fields of Hyperv that count only while another is on.
_DETAILS = (
    ("spinlocks_retries", "spinlocks"), ("stimer_direct", "stimer"), ("vendor_id_value", "vendor_id"),
    ("tlbflush_direct", "tlbflush"), ("tlbflush_extended", "tlbflush"),
)  # fmt: skip


def complete_features(draft: Draft) -> None:
    """A board with an interrupt controller of ARM's has version 2 unless told otherwise."""
    features = draft.domain.features or Features()
    changes: dict[str, Any] = {}
    if features.hyperv is not None:
        changes["hyperv"] = _hyperv(features.hyperv)
    if features.kvm is not None and not features.kvm.dirty_ring:
        changes["kvm"] = replace(features.kvm, dirty_ring_size=None)
    if features.smm is not True:
        changes["smm_tseg"] = None
    if draft.board.gic and (features.gic is None or features.gic.version is None):
        changes["gic"] = Gic(version="2")
    if changes:
        features = replace(features, **changes)
    draft.changes["features"] = None if features == Features() else features


def _hyperv(hyperv: Hyperv) -> Hyperv:
    dropped: dict[str, None] = {field: None for field, of in _DETAILS if not getattr(hyperv, of)}
    if hyperv.stimer_direct is False:
        dropped["stimer_direct"] = None
    return replace(hyperv, **dropped)


__all__ = ["complete_features"]
