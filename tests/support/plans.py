"""Documents of running guests and the command lines they are translated to, kept in tests/golden/argv."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from roost.drivers.qemu import plan
from roost.model.domain import Domain, parse
from support import machines

GOLDEN = Path(__file__).parents[1] / "golden" / "argv"
#: The same machines as users write them, before completion.
WRITTEN = GOLDEN / "written"


def names() -> list[str]:
    """The documents, by name."""
    return sorted(path.stem for path in GOLDEN.glob("*.xml"))


def written_names() -> list[str]:
    """The documents as users write them, by name."""
    return sorted(path.stem for path in WRITTEN.glob("*.xml"))


def document(name: str) -> Domain:
    """A document with everything a start fills in: aliases, addresses, paths below /golden."""
    return parse((GOLDEN / f"{name}.xml").read_bytes(), live=True)


def translate(name: str) -> list[str]:
    """Our command line for a document, nothing acquired."""
    return list(plan.argv(document(name), machines.capabilities(), plan.Grants()).argv)


def update(wanted: Iterable[str]) -> None:
    """Write our command lines anew, to be looked at before they are committed."""
    for name in wanted:
        (GOLDEN / f"{name}.args").write_text("\n".join(translate(name)) + "\n")


if __name__ == "__main__":
    update(names())
