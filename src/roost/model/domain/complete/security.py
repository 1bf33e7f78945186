"""Defaults of security labels and of the keys that the host wraps."""

from __future__ import annotations

from msgspec.structs import replace

from roost.model.domain.draft import Draft
from roost.model.domain.security import KeyWrap, Seclabel


def complete_security(draft: Draft) -> None:
    """What libvirt keeps of labels: those of running guests are made anew at each start."""
    domain = draft.domain
    labels = domain.seclabels
    if len(labels) == 1 and labels[0].model is None and _takes_default(labels[0]):
        # The host's first security driver is meant, and there is none here.
        labels = (replace(labels[0], model="none"),)
    if labels:
        # Labels of no type are libvirt's word for none at all, but one without a model is refused.
        draft.changes["seclabels"] = tuple(
            _completed(label) for label in labels if label.type is not None or label.model in (None, "none")
        )
    keywrap = domain.keywrap
    if keywrap is not None:
        draft.changes["keywrap"] = KeyWrap(ciphers=tuple(sorted(keywrap.ciphers, key=lambda each: each.name)))


def _takes_default(label: Seclabel) -> bool:
    return label.type == "none" or (label.type == "dynamic" and label.baselabel is None)


def _completed(label: Seclabel) -> Seclabel:
    kind = label.type
    if label.model == "none":
        return Seclabel(type="none", model="none")
    if kind == "none":
        return Seclabel(type="none", model=label.model, relabel=label.relabel or None)
    relabel = label.relabel if label.relabel is not None else kind == "dynamic"
    if kind == "static":
        return replace(label, type=kind, relabel=relabel, baselabel=None)
    return replace(label, type=kind, relabel=relabel, label=None)


__all__ = ["complete_security"]
