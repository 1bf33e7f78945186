"""Features in the form they are kept in: details of what is off mean nothing."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from roost.model.domain.draft import Draft
from roost.model.domain.features import Features, Gic, Hyperv

#: Fields of Hyperv that count only while another is on.
_DETAILS = (("spinlocks_retries", "spinlocks"), ("vendor_id_value", "vendor_id"))


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
    changes: dict[str, Any] = {field: None for field, of in _DETAILS if not getattr(hyperv, of)}
    stimer, flush = hyperv.stimer, hyperv.tlbflush
    if stimer is not None and not (stimer.state and stimer.direct):
        changes["stimer"] = replace(stimer, direct=None)
    if flush is not None and not flush.state:
        changes["tlbflush"] = replace(flush, direct=None, extended=None)
    return replace(hyperv, **changes)


__all__ = ["complete_features"]
