"""A rule: when it is broken, libvirt's words for it, and what would be right."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec

from roost.errors import ConfigUnsupported, From, RoostError
from roost.model.domain.boards import Board, board_of, is_i440fx, is_q35, is_x86
from roost.model.domain.domain import Domain
from roost.model.domain.facts import Machine, MachineFacts


class Context(msgspec.Struct, frozen=True):
    """What a rule may look at besides its own device."""

    domain: Domain
    facts: MachineFacts
    machine: Machine | None

    @property
    def board(self) -> Board:
        """The family of the machine."""
        return board_of(self.domain.os.arch or "", self.domain.os.machine or "")

    @property
    def is_i440fx(self) -> bool:
        return is_i440fx(self.domain.os.machine or "")

    @property
    def is_q35(self) -> bool:
        return is_q35(self.domain.os.machine or "")

    @property
    def is_x86(self) -> bool:
        return is_x86(self.domain.os.arch or "")

    def has_iothread(self, number: int) -> bool:
        """Whether an iothread of that number exists: those counted, or those listed by id."""
        ids = {thread.id for thread in self.domain.iothread_ids}
        return number in ids or number <= (self.domain.iothreads or 0)


class Rule(NamedTuple):
    """One reason to refuse.

    broken: whether a device (or the document) breaks it, given the context.
    text: libvirt's message; `{d...}` is the device and `{c...}` the context.
    origin: the error domain libvirt gives it. hint: what would be right.
    only: the kinds of device that can break it (a disk's buses, a controller's
    types); None for all.
    """

    broken: Callable[[Any, Context], object]
    text: str
    hint: str = ""
    error: type[RoostError] = ConfigUnsupported
    origin: int = From.QEMU
    only: frozenset[str] | None = None

    def refusal(self, device: Any, context: Context, where: str) -> RoostError:
        """The error to raise. where: the path of the element."""
        text = self.text.format(d=device, c=context)
        hint = f"{where}: {self.hint.format(d=device, c=context)}" if self.hint else where
        return self.error(text, domain=self.origin, hint=hint)


def is_odd_size(size: int | None) -> bool:
    """Whether a size is given and no power of two."""
    return bool(size) and bool(size & (size - 1)) if size else False


_VIRTIO_OPTIONS = ("iommu", "ats", "packed", "page_per_vq")


def by_kind(rules: tuple[Rule, ...], kinds: Iterable[str]) -> dict[str, tuple[Rule, ...]]:
    """The rules that concern each kind, in their order."""
    return {kind: tuple(rule for rule in rules if rule.only is None or kind in rule.only) for kind in kinds}


def virtio_only(is_virtio: Callable[[Any], object], only: frozenset[str] | None = None) -> tuple[Rule, ...]:
    """The attributes of <driver> that devices other than virtio ones do not have."""

    def rule(option: str) -> Rule:
        word = "" if option == "page_per_vq" else " driver"
        return Rule(
            lambda d, c: d.driver is not None and getattr(d.driver, option) is not None and not is_virtio(d),
            f"{option}{word} option is only supported for virtio devices",
            origin=From.DOMAIN,
            only=only,
        )

    return tuple(rule(option) for option in _VIRTIO_OPTIONS)


__all__ = ["Context", "Rule", "by_kind", "is_odd_size", "virtio_only"]
