"""Documents of running guests and the command lines they are translated to, kept in tests/golden/argv."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from roost.drivers.qemu import plan
from roost.drivers.qemu.capabilities import Capabilities
from roost.model.domain import Domain, parse

GOLDEN = Path(__file__).parents[1] / "golden" / "argv"
#: The same machines as users write them, before completion.
WRITTEN = GOLDEN / "written"

#: Options that take no value.
_BARE = frozenset(("-S", "-no-user-config", "-nodefaults", "-no-shutdown", "-no-hpet", "-no-acpi"))


def names() -> list[str]:
    """The documents, by name."""
    return sorted(path.stem for path in GOLDEN.glob("*.xml"))


def written_names() -> list[str]:
    """The documents as users write them, by name."""
    return sorted(path.stem for path in WRITTEN.glob("*.xml"))


def document(name: str) -> Domain:
    """A document with everything a start fills in: aliases, addresses, paths below /golden."""
    return parse((GOLDEN / f"{name}.xml").read_bytes(), live=True)


@functools.cache
def capabilities() -> Capabilities:
    """What Debian 12's qemu-system-x86_64 answered; kept, so that the translation is tested without it."""
    return msgspec.json.decode((GOLDEN / "qemu-7.2.json").read_bytes(), type=Capabilities)


def translate(name: str) -> list[str]:
    """Our command line for a document, nothing acquired."""
    return list(plan.argv(document(name), capabilities(), plan.Grants()).argv)


def options(words: Sequence[str]) -> list[tuple[str, str]]:
    """(option, value) pairs of a command line without its first word; JSON in one spelling."""
    found = []
    remaining = iter(words)
    for word in remaining:
        value = "" if word in _BARE else next(remaining, "")
        if value.startswith("{"):
            value = json.dumps(json.loads(value), sort_keys=True)
        found.append((word, value))
    return found


def update(wanted: Iterable[str]) -> None:
    """Write our command lines anew, to be looked at before they are committed."""
    for name in wanted:
        (GOLDEN / f"{name}.args").write_text("\n".join(translate(name)) + "\n")


if __name__ == "__main__":
    update(names())
