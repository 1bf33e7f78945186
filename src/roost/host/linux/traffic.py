"""Traffic shaping with the kernel's queues, arranged as libvirt does it; by `tc`, all in one run of it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence

from roost.errors import InternalError
from roost.host.api import Rate

_MTU = 1500
#: Bytes that tc can count in a burst.
_MAX_BURST = 2**32 - 1
_TIMEOUT = 30.0

Words = tuple[str, ...]


def clear_commands(interface: str) -> Iterator[Words]:
    """What takes all shaping off; either may find nothing."""
    yield ("qdisc", "del", "dev", interface, "root")
    yield ("qdisc", "del", "dev", interface, "ingress")


def commands(interface: str, *, sent: Rate | None, received: Rate | None) -> Iterator[Words]:
    """What limits an interface. sent, received: as the host sees them."""
    if sent is not None and sent.average:
        yield from _limit_sent(interface, sent)
    if received is not None and received.average:
        yield from _limit_received(interface, received)


def _limit_sent(interface: str, rate: Rate) -> Iterator[Words]:
    """A token bucket of one class."""
    quantum = max(rate.average * 1024 // 8 // _MTU, 1)
    limits: list[str] = ["rate", f"{rate.average}kbps"]
    if rate.peak:
        limits += ["ceil", f"{rate.peak}kbps"]
    if rate.burst:
        limits += ["burst", f"{rate.burst}kb"]
    on = ("dev", interface)
    yield ("qdisc", "add", *on, "root", "handle", "1:", "htb", "default", "1")
    yield ("class", "add", *on, "parent", "1:", "classid", "1:1", "htb", *limits, "quantum", str(quantum))


def refinements(interface: str) -> Iterator[Words]:
    """What makes the limit of sent packets fairer: they are shuffled, so that no sender starves the others.

    Not every kernel can.
    """
    on = ("dev", interface)
    yield ("qdisc", "add", *on, "parent", "1:1", "handle", "2:", "sfq", "perturb", "10")
    yield ("filter", "add", *on, "parent", "1:0", "protocol", "all", "prio", "1", "handle", "1", "fw", "flowid", "1")


def _limit_received(interface: str, rate: Rate) -> Iterator[Words]:
    """What comes too fast is dropped."""
    burst = rate.burst or min(rate.average, _MAX_BURST // 1024)
    on = ("dev", interface)
    yield ("qdisc", "add", *on, "ingress")
    yield (
        "filter", "add", *on, "parent", "ffff:", "protocol", "all", "u32", "match", "u32", "0", "0", "police",
        "rate", f"{rate.average}kbps", "burst", f"{burst}kb", "mtu", "64kb", "drop", "flowid", ":1",
    )  # fmt: skip


def shape(interface: str, *, sent: Rate | None, received: Rate | None) -> None:
    """See host.api.Network.shape. Raises InternalError with tc's own words."""
    _run(tuple(clear_commands(interface)), force=True)
    wanted = tuple(commands(interface, sent=sent, received=received))
    if wanted:
        _run(wanted)
    if sent is not None and sent.average:
        _run(tuple(refinements(interface)), force=True)


def _run(lines: Sequence[Words], *, force: bool = False) -> None:
    text = "".join(" ".join(words) + "\n" for words in lines)
    program = ["tc", *(["-force"] if force else []), "-batch", "-"]
    try:
        done = subprocess.run(program, input=text, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except FileNotFoundError as error:
        raise InternalError("Cannot find 'tc' in path", hint="install iproute2, which limits bandwidth") from error
    if done.returncode and not force:
        raise InternalError(
            f"Child process (tc -batch) unexpected exit status {done.returncode}: {done.stderr.strip()}"
        )


__all__ = ["clear_commands", "commands", "refinements", "shape"]
