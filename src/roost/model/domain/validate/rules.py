"""A rule: when it is broken, libvirt's words for it, and what would be right."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from roost.errors import ConfigUnsupported, From, RoostError
from roost.model.domain.boards import Board, board_of, is_i440fx, is_q35, is_x86
from roost.model.domain.domain import Domain
from roost.model.domain.facts import Machine, MachineFacts


class Context:
    """What a rule may look at besides its own device. asked: whether one looked beyond machine and emulator."""

    __slots__ = ("_domain", "arch", "asked", "facts", "machine", "machine_name")

    def __init__(self, domain: Domain, facts: MachineFacts, machine: Machine | None) -> None:
        self._domain, self.facts, self.machine = domain, facts, machine
        self.arch, self.machine_name = domain.os.arch or "", domain.os.machine or ""
        self.asked = False

    @property
    def domain(self) -> Domain:
        self.asked = True
        return self._domain

    @property
    def board(self) -> Board:
        """The family of the machine."""
        return board_of(self.arch, self.machine_name)

    @property
    def is_i440fx(self) -> bool:
        return is_i440fx(self.machine_name)

    @property
    def is_q35(self) -> bool:
        return is_q35(self.machine_name)

    @property
    def is_x86(self) -> bool:
        return is_x86(self.arch)

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
    types); None for all. about: what a device must have to be concerned, so that
    `broken` may rely on it and others cost nothing: `field`, which must be given
    (be it as 'no'), or `field=value`; `field.field` for one of an element that may be missing.
    """

    broken: Callable[[Any, Context], object]
    text: str
    hint: str = ""
    error: type[RoostError] = ConfigUnsupported
    origin: int = From.QEMU
    only: frozenset[str] | None = None
    about: str = ""

    def refusal(self, device: Any, context: Context, where: str) -> RoostError:
        """The error to raise. where: the path of the element."""
        text = self.text.format(d=device, c=context)
        hint = f"{where}: {self.hint.format(d=device, c=context)}" if self.hint else where
        return self.error(text, domain=self.origin, hint=hint)


class Rules(tuple[Rule, ...]):
    """A table of rules in libvirt's order.

    broken_by: the first rule that a subject breaks in a context, or None.
    """

    broken_by: Callable[[Any, Context], Rule | None]

    def __new__(cls, *rules: Rule) -> Rules:
        table = super().__new__(cls, rules)
        table.broken_by = _check_of(table)
        return table


def _check_of(rules: Rules) -> Callable[[Any, Context], Rule | None]:
    """Writes one function of a table: every definition goes through all of them, and most rules concern few devices."""
    # There is but one empty tuple: a field that is one has not been given.
    names: dict[str, Any] = {"nothing": ()}
    fields = sorted({_first(rule.about) for rule in rules if rule.about})
    lines = ["def check(d, c):"]
    if fields:
        names["get"] = attrgetter(*fields)
        lines.append(f" {', '.join(f'v{number}' for number in range(len(fields)))} = get(d)")
    for number, rule in enumerate(rules):
        names[f"broken{number}"], names[f"rule{number}"] = rule.broken, rule
    # Neighbours that are about the same ask for it once.
    for field, neighbours in groupby(enumerate(rules), lambda pair: _first(pair[1].about)):
        variable = f"v{fields.index(field)}" if field else ""
        lines.append(f" if {variable} is not None:" if field else " if True:")
        for about, alike in groupby(neighbours, lambda pair: pair[1].about):
            lines.append(f"  if {_condition(about, variable)}:" if about else "  if True:")
            lines += [f"   if broken{number}(d, c): return rule{number}" for number, _ in alike]
    exec("\n".join([*lines, " return None"]), names)
    check: Callable[[Any, Context], Rule | None] = names["check"]
    return check


def _first(about: str) -> str:
    """The field of the device itself."""
    return about.partition("=")[0].partition(".")[0]


def _condition(about: str, variable: str) -> str:
    """Source that tells whether a rule concerns a device. variable: holds the device's field, which is not None."""
    path, _, value = about.partition("=")
    _, _, inner = path.partition(".")
    given = ""
    if inner:
        given = f"(v := {variable}.{inner}) is not None and "
        variable = "v"
    return f"{given}{variable} == {value!r}" if value else f"{given}{variable} is not nothing"


def given(device: Any, context: Context) -> bool:
    """For rules that are broken by what they are about."""
    return True


def is_odd_size(size: int | None) -> bool:
    """Whether a size is given and no power of two."""
    return bool(size) and bool(size & (size - 1)) if size else False


_VIRTIO_OPTIONS = ("iommu", "ats", "packed", "page_per_vq")


def by_kind(rules: Iterable[Rule], kinds: Iterable[str]) -> dict[str, Rules]:
    """The rules that concern each kind, in their order."""
    rules = tuple(rules)
    return {kind: Rules(*(rule for rule in rules if rule.only is None or kind in rule.only)) for kind in kinds}


def virtio_only(is_virtio: Callable[[Any], object], only: frozenset[str] | None = None) -> tuple[Rule, ...]:
    """The attributes of <driver> that devices other than virtio ones do not have."""

    def rule(option: str) -> Rule:
        word = "" if option == "page_per_vq" else " driver"
        return Rule(
            lambda d, c: getattr(d.driver, option) is not None and not is_virtio(d),
            f"{option}{word} option is only supported for virtio devices",
            origin=From.DOMAIN,
            only=only,
            about="driver",
        )

    return tuple(rule(option) for option in _VIRTIO_OPTIONS)


__all__ = ["Context", "Rule", "Rules", "by_kind", "given", "is_odd_size", "virtio_only"]
