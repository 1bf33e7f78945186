"""The way of one document through the model, in this process: read, completed, validated, written."""

from __future__ import annotations

import time

from roost.model.domain import format, parse
from roost.model.domain.complete import complete
from support import machines, parity

ROUNDS, CALLS = 25, 40


def reading() -> list[float]:
    """CPU seconds for what virt-install writes, about 7 KB: one figure a round, each the mean of many."""
    (case,) = parity.cases("guest/guest-virt-install")
    text = case.file(".kept.xml").read_text()
    facts = machines.facts("x86_64", "qemu", "kvm")
    format(complete(parse(text), facts))
    figures = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        for _ in range(CALLS):
            format(complete(parse(text), facts))
        figures.append((time.process_time() - begin) / CALLS)
    return figures
