"""The way of documents through the model, in this process: read, completed, validated, written."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable

from roost.model.domain import format, parse
from roost.model.domain.complete import complete
from roost.xml import forget_elements
from support import machines, parity

ROUNDS, CALLS = 25, 40


def reading(*, alike: bool) -> list[float]:
    """CPU seconds for what virt-install writes, about 7 KB: one figure a round, each the mean of many.

    Guests differ in name, UUID, MAC address and image. alike: documents like
    it were read before, as on a host with several guests; else none was.
    """
    (case,) = parity.cases("guest/guest-virt-install")
    text = case.file(".kept.xml").read_text()
    facts = machines.facts("x86_64", "qemu", "kvm")
    numbers = itertools.count()
    format(complete(parse(another(text, next(numbers))), facts))
    before: Callable[[], None] = (lambda: None) if alike else forget_elements
    figures = []
    for _ in range(ROUNDS):
        texts = [another(text, next(numbers)) for _ in range(CALLS)]
        begin = time.process_time()
        for each in texts:
            before()
            format(complete(parse(each), facts))
        figures.append((time.process_time() - begin) / CALLS)
    return figures


def another(text: str, number: int) -> str:
    """The document of another guest made alike."""
    name = f"guest{number}"
    for pattern, new in (
        ("<name>.*?<", f"<name>{name}<"),
        ("<uuid>.*?<", f"<uuid>5f1c0f9e-3a43-4d1a-9a53-{number:012x}<"),
        ("<mac address='.*?'", f"<mac address='{(0x525400 << 24 | number).to_bytes(6).hex(':')}'"),
        ("<source file='.*?'", f"<source file='/var/lib/libvirt/images/{name}.qcow2'"),
    ):
        text = re.sub(pattern, new, text, count=1)
    return text
