"""What is measured, in which order, and what the project promises for it."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bench import document, guests, raw
from bench.sides import MeasureError, Side

from support.guests import domain_xml

BATCH = 100
MANY_STARTS = 20
RUNNING = 30


class Plan(NamedTuple):
    """How much is done."""

    rounds: int
    calls: int
    definitions: int


THOROUGH = Plan(rounds=9, calls=2000, definitions=1000)
QUICK = Plan(rounds=3, calls=500, definitions=1000)


class Measure(NamedTuple):
    """One row. `most_ratio` is what roostd may take of libvirtd's figure, `most` what it may take at all."""

    name: str
    title: str
    unit: str
    most_ratio: float | None = None
    most: float | None = None


MEASURES = (
    Measure("small-call", "small call (getLibVersion)", "µs", most_ratio=0.6),
    Measure("state-call", "small call (state of a domain)", "µs", most_ratio=0.6),
    Measure("lookup", "lookup by name", "µs"),
    Measure("lookup-uuid", "lookup by UUID", "µs"),
    Measure("xml", "XML of a domain", "µs", most_ratio=0.6),
    Measure("list", "list of all definitions", "ms", most_ratio=0.8),
    Measure("define", "define", "ms", most_ratio=0.8),
    Measure("document", "a 7 KB document read, completed, written: CPU", "ms", most=0.6),
    Measure("document-first", "the first of its kind on the host: CPU", "ms"),
    Measure("undefine", "undefine", "ms"),
    Measure("statistics", "statistics of all domains", "ms"),
    Measure("statistics-30", f"statistics of {RUNNING} guests", "ms", most_ratio=0.1),
    Measure("block-stats", "statistics of a guest's disk", "µs", most_ratio=0.5),
    Measure("memory-stats", "statistics of a guest's memory", "µs", most_ratio=0.5),
    Measure("interface-stats", "statistics of a guest's interface", "µs", most_ratio=0.5),
    Measure("start", "start", "ms", most_ratio=0.4),
    Measure("start-raw", "start, against raw QEMU", "ms", most_ratio=2.5),
    Measure("start-20", f"{MANY_STARTS} starts at once", "ms"),
    Measure("destroy", "destroy", "ms", most_ratio=0.05),
    Measure("read-20", f"a small read while {MANY_STARTS} guests start, p99", "ms", most_ratio=0.5),
    Measure("attach-detach", "attach and detach a disk", "ms", most_ratio=0.6),
    Measure("suspend-resume", "suspend and resume", "ms", most_ratio=0.6),
    Measure("snapshot", f"internal snapshot of a {guests.SAVED_MEMORY} MiB guest", "ms", most_ratio=0.9),
    Measure("save-restore", f"save and restore of a {guests.SAVED_MEMORY} MiB guest", "ms", most_ratio=0.9),
    Measure("daemon-start", "daemon start with all definitions", "ms", most_ratio=1.0),
    Measure("memory-idle", "resident memory, idle", "MB", most=60),
    Measure("memory-definition", "resident memory of a definition", "KB", most=20),
    Measure("probe", "first question about an emulator", "ms", most_ratio=1.0),
    Measure("capabilities", "capabilities of the host", "µs", most_ratio=0.5),
    Measure("domcapabilities", "capabilities of an emulator", "µs", most_ratio=0.5),
    Measure("cli", "`roost list` against `virsh list`", "ms", most_ratio=2.0),
)
#: Rows about guests that run, and what asks one of them.
RUNNING_ROWS = {
    "statistics-30": "",
    "block-stats": "block_statistics",
    "memory-stats": "memory_statistics",
    "interface-stats": "interface_statistics",
}
#: Rows about one guest that runs, and what changes it. Each leaves it as it was.
CHANGING_ROWS = {
    "attach-detach": "attach_and_detach",
    "suspend-resume": "suspend_and_resume",
    "snapshot": "snapshot",
    "save-restore": "save_and_restore",
}
UNITS = {"µs": 1e6, "ms": 1e3, "MB": 1e-6, "KB": 1e-3}


class Samples:
    """Figures of one row by side, in seconds or bytes; and what went wrong instead."""

    def __init__(self) -> None:
        self._figures: dict[tuple[str, str], list[float]] = {}
        self.errors: dict[tuple[str, str], str] = {}

    def add(self, name: str, side: str, figures: list[float]) -> None:
        """Keep more figures of a row."""
        self._figures.setdefault((name, side), []).extend(figures)

    def copy(self, name: str, other: str, side: str) -> None:
        """Let another row begin with the same figures of one side."""
        self._figures[other, side] = list(self._figures.get((name, side), []))

    def median(self, name: str, side: str) -> float | None:
        """The middle figure; None when there is none, or when the side failed."""
        figures = self._figures.get((name, side))
        return statistics.median(figures) if figures and (name, side) not in self.errors else None

    def all(self) -> dict[str, dict[str, list[float]]]:
        """Every figure, for the JSON file."""
        result: dict[str, dict[str, list[float]]] = {}
        for (name, side), figures in self._figures.items():
            result.setdefault(name, {})[side] = figures
        return result


class Bench:
    """One run over both daemons. Each round asks one and then the other, so that the machine's moods hit both."""

    def __init__(self, sides: tuple[Side, Side], plan: Plan, wanted: frozenset[str]) -> None:
        self.samples = Samples()
        self._sides = sides
        self._plan = plan
        self._wanted = wanted

    def run(self) -> Iterator[str]:
        """Measure all that is wanted; yields what is being done."""
        yield "starting both daemons"
        for side in self._sides:
            side.start()
        if self._wants("memory-idle", "memory-definition"):
            yield "idle memory"
            self._idle_memory()
        if self._wants("probe", "capabilities", "domcapabilities"):
            yield "capabilities"
            self._capabilities()
        if self._wants("start", "start-raw", "destroy"):
            yield from self._starts()
        if self._wants("start-20", "read-20"):
            yield from self._starts_at_once()
        if self._wants(*CHANGING_ROWS):
            yield from self._changes_of_a_guest()
        if self._wants(*RUNNING_ROWS):
            yield from self._statistics_of_guests()
        if self._wants("cli"):
            yield "command lines"
            self._command_lines()
        if self._wants("document", "document-first"):
            yield "a document"
            self.samples.add("document", self._sides[1].name, document.reading(alike=True))
            self.samples.add("document-first", self._sides[1].name, document.reading(alike=False))
        yield from self._with_definitions()

    def _wants(self, *names: str) -> bool:
        return not self._wanted.isdisjoint(names)

    def _each(self, name: str, operation: str, *arguments: object, keep: bool = True) -> None:
        """Ask both sides the same; what is not kept only prepares or ends a row."""
        for side in self._sides:
            self._one(name, side, operation, *arguments, keep=keep)

    def _one(self, name: str, side: Side, operation: str, *arguments: object, keep: bool = True) -> None:
        """Ask one side; a side that failed in a row is not asked again for it."""
        if (name, side.name) in self.samples.errors:
            return
        try:
            figures = side.ask(operation, *arguments)
        except MeasureError as error:
            self.samples.errors[name, side.name] = str(error)
        else:
            self.samples.add(name, side.name, figures if keep else [])

    def _restart(self, name: str) -> None:
        for side in self._sides:
            side.stop()
            self.samples.add(name, side.name, [side.start()])

    def _idle_memory(self) -> None:
        self._restart("start of an empty daemon")
        for side in self._sides:
            self.samples.add("memory-idle", side.name, [float(side.resident_bytes())])

    def _capabilities(self) -> None:
        """Before anything else has made the daemons ask an emulator what it can do."""
        self._each("probe", "domain_capabilities", 1)
        self._each("capabilities", "capabilities", 1, keep=False)  # asks every emulator on the host
        for _ in range(self._plan.rounds):
            self._each("capabilities", "capabilities", max(5, self._plan.calls // 50))
            self._each("domcapabilities", "domain_capabilities", self._plan.calls // 4)

    def _starts(self) -> Iterator[str]:
        guest = "bench-start"
        self._each("start", "define", [domain_xml(guest, memory_mib=guests.MEMORY)], keep=False)
        for number in range(self._plan.rounds + 1):
            yield f"start and destroy, round {number} of {self._plan.rounds}"
            for side in self._sides:
                self._start_and_destroy(side, guest, keep=number > 0)  # the first round fills caches
        self._each("start", "undefine", [guest], keep=False)

    def _start_and_destroy(self, side: Side, guest: str, *, keep: bool) -> None:
        self._one("start", side, "start", guest, keep=keep)
        if ("start", side.name) in self.samples.errors:
            self.samples.errors["destroy", side.name] = self.samples.errors["start-raw", side.name] = (
                "it does not start"
            )
            return
        arguments = raw.arguments_of(guest) if side is self._sides[1] and keep else []
        self._one("destroy", side, "destroy", [guest], keep=keep)
        if arguments:
            self._raw_start(side, arguments)

    def _raw_start(self, side: Side, arguments: list[str]) -> None:
        """The guest has ended by now: what it does while it boots must not slow its copy down."""
        try:
            self.samples.add("start-raw", "raw QEMU", [raw.start(arguments)])
        except MeasureError as error:
            self.samples.errors["start-raw", side.name] = str(error)
        self.samples.copy("start", "start-raw", side.name)

    def _starts_at_once(self) -> Iterator[str]:
        idle, *names = (f"bench-many-{number}" for number in range(MANY_STARTS + 1))
        documents = [domain_xml(name, memory_mib=guests.MEMORY) for name in (idle, *names)]
        self._each("start-20", "define", documents, keep=False)
        for number in range(max(2, self._plan.rounds // 3)):
            yield f"{MANY_STARTS} starts at once, round {number + 1}"
            for side in self._sides:
                self._one("start-20", side, "start_many", names)
                self._one("start-20", side, "destroy", names, keep=False)
                if self._wants("read-20"):
                    self._one("read-20", side, "reads_during_starts", idle, names)
                    self._one("start-20", side, "destroy", names, keep=False)
        self._each("start-20", "undefine", [idle, *names], keep=False)

    def _changes_of_a_guest(self) -> Iterator[str]:
        """Of a guest that has booted and idles."""
        with contextlib.ExitStack() as stack:
            shops = {side: guests.Workshop("bench-changed") for side in self._sides}
            for side, shop in shops.items():
                stack.callback(shop.close)
                yield f"booting a guest of {side.name}"
                side.ask("define", [shop.document()])
                side.ask("start", shop.name)
                shop.wait_until_booted()
            for number in range(self._plan.rounds + 1):
                yield f"changes of a guest, round {number} of {self._plan.rounds}"
                for row, operation in CHANGING_ROWS.items():
                    for side, shop in shops.items():
                        if self._wants(row):
                            self._one(row, side, operation, shop.name, shop.argument(row), keep=number > 0)
            for side, shop in shops.items():
                side.ask("destroy", [shop.name])
                side.ask("undefine", [shop.name])

    def _statistics_of_guests(self) -> Iterator[str]:
        """Of guests that were started paused: what they do themselves is not measured."""
        names = [f"bench-stats-{number}" for number in range(RUNNING)]
        documents = [guests.busy(name) for name in names]
        yield f"starting {RUNNING} guests on either side"
        self._each("statistics-30", "define", documents, keep=False)
        self._each("statistics-30", "start_many", names, keep=False)
        calls = self._plan.calls // 10
        for number in range(self._plan.rounds + 1):
            yield f"statistics of guests, round {number} of {self._plan.rounds}"
            self._each("statistics-30", "running_statistics", 3, keep=number > 0)
            for row, operation in RUNNING_ROWS.items():
                if operation and self._wants(row):
                    self._each(row, operation, names[0], calls, keep=number > 0)
        self._each("statistics-30", "destroy", names, keep=False)
        self._each("statistics-30", "undefine", names, keep=False)

    def _command_lines(self) -> None:
        roost = str(Path(sys.executable).with_name("roost"))
        uri = self._sides[1].daemon.uri
        for _ in range(self._plan.rounds * 4):
            for program, name in (("virsh", "libvirtd"), (roost, "roostd")):
                begin = time.perf_counter()
                done = subprocess.run([program, "-c", uri, "list"], capture_output=True, text=True, check=False)
                self.samples.add("cli", name, [time.perf_counter() - begin])
                if done.returncode != 0:
                    self.samples.errors["cli", name] = done.stderr.strip()

    def _with_definitions(self) -> Iterator[str]:
        names = [f"bench-{number:04}" for number in range(self._plan.definitions)]
        uuids = [str(uuid.uuid4()) for _ in names]
        reading = self._reading_rows(names[len(names) // 2], uuids[len(names) // 2])
        if not self._wants("define", "undefine", "daemon-start", "memory-definition", *reading):
            return
        documents = [guests.definition(name, uuid_) for name, uuid_ in zip(names, uuids, strict=True)]
        for begin in range(0, len(names), BATCH):
            yield f"define, {begin} of {len(names)}"
            self._each("define", "define", documents[begin : begin + BATCH])
        for name, (operation, *arguments) in reading.items():
            if self._wants(name):
                yield f"{name}, {self._plan.rounds} rounds"
                for _ in range(self._plan.rounds):
                    self._each(name, operation, *arguments)
        if self._wants("daemon-start", "memory-definition"):
            for number in range(self._plan.rounds):
                yield f"daemon start, round {number + 1}"
                self._restart("daemon-start")
            self._memory_of_definitions()
        for begin in range(0, len(names), BATCH):
            yield f"undefine, {begin} of {len(names)}"
            self._each("undefine", "undefine", names[begin : begin + BATCH])

    def _reading_rows(self, name: str, uuid_: str) -> dict[str, tuple[Any, ...]]:
        """Operations that change nothing, by row, with their arguments."""
        calls = self._plan.calls
        return {
            "small-call": ("small_call", calls),
            "state-call": ("state_call", name, calls),
            "lookup": ("lookup", name, calls),
            "lookup-uuid": ("lookup_uuid", uuid_, calls),
            "xml": ("xml", name, calls // 4),
            "list": ("list_all", max(2, calls // 100)),
            "statistics": ("statistics", 2),
        }

    def _memory_of_definitions(self) -> None:
        for side in self._sides:
            idle = self.samples.median("memory-idle", side.name) or 0.0
            figure = (side.resident_bytes() - idle) / self._plan.definitions
            self.samples.add("memory-definition", side.name, [figure])
