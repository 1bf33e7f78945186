"""Figures as one aligned table, with what was promised and whether it holds."""

from __future__ import annotations

from typing import NamedTuple

from bench.measures import MEASURES, UNITS, Measure, Samples

OK, MISS, NONE = "OK", "MISS", ""
HEADINGS = ("", "libvirtd", "roostd", "ratio", "limit", "")


class Row(NamedTuple):
    """One line of the table, as text."""

    title: str
    base: str
    ours: str
    ratio: str
    limit: str
    verdict: str
    note: str = ""


def rows(samples: Samples, wanted: frozenset[str]) -> list[Row]:
    """A row for each measure that was wanted."""
    return [row(measure, samples) for measure in MEASURES if measure.name in wanted]


def row(measure: Measure, samples: Samples) -> Row:
    """One measure; what failed on our side misses its promise."""
    against = "raw QEMU" if measure.name == "start-raw" else "libvirtd"
    base, ours = samples.median(measure.name, against), samples.median(measure.name, "roostd")
    ratio = ours / base if ours is not None and base else None
    errors = [
        f"{side}: {samples.errors[measure.name, side]}"
        for side in ("libvirtd", "roostd")
        if (measure.name, side) in samples.errors
    ]
    return Row(
        measure.title,
        figure(base, measure.unit),
        figure(ours, measure.unit),
        "-" if ratio is None else f"{ratio:.2f}",
        limit(measure),
        verdict(measure, ours, ratio),
        "; ".join(errors),
    )


def figure(value: float | None, unit: str) -> str:
    """A figure with its unit, to three digits."""
    if value is None:
        return "-"
    scaled = value * UNITS[unit]
    digits = 2 if abs(scaled) < 10 else 1 if abs(scaled) < 100 else 0
    return f"{scaled:.{digits}f} {unit}"


def limit(measure: Measure) -> str:
    """What is promised."""
    if measure.most is not None:
        return f"<= {measure.most:g} {measure.unit}"
    return "" if measure.most_ratio is None else f"<= {measure.most_ratio:g}"


def verdict(measure: Measure, ours: float | None, ratio: float | None) -> str:
    """Whether the promise holds; nothing where none is made."""
    if measure.most is not None:
        return OK if ours is not None and ours * UNITS[measure.unit] <= measure.most else MISS
    if measure.most_ratio is None:
        return NONE
    return OK if ratio is not None and ratio <= measure.most_ratio else MISS


def table(around: dict[str, str], lines: list[Row]) -> str:
    """The whole report. In the row against raw QEMU and the command line's, the first column is that peer's."""
    text = [f"{name + ':':10} {value}" for name, value in around.items()]
    cells = [HEADINGS, *(line[:6] for line in lines)]
    widths = [max(len(cell[column]) for cell in cells) for column in range(6)]
    text.append("")
    for cell in cells:
        aligned = [
            cell[0].ljust(widths[0]),
            *(value.rjust(width) for value, width in zip(cell[1:], widths[1:], strict=True)),
        ]
        text.append("  ".join(aligned).rstrip())
    text += [f"! {line.title}: {line.note}" for line in lines if line.note]
    missed = sum(line.verdict == MISS for line in lines)
    text.append(f"\nmedians; {missed} of {sum(bool(line.verdict) for line in lines)} promises missed")
    return "\n".join(text)
