"""Validation: the rules that make libvirt refuse a document that is well formed.

`check` runs on a completed document; `check_drafted` holds the rules that
libvirt applies before addresses are assigned. One file per concern.
May enter: rules, each with libvirt's code and words, and what would be right.
"""

from __future__ import annotations

from roost.model.domain.domain import Domain
from roost.model.domain.draft import Draft
from roost.model.domain.facts import MachineFacts


def check(domain: Domain, facts: MachineFacts) -> None:
    """Raises for the first rule that the document breaks."""


def check_drafted(draft: Draft) -> None:
    pass


__all__ = ["check", "check_drafted"]
