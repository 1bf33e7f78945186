"""The check of flags that every call begins with."""

from __future__ import annotations

from roost.errors import InvalidArg


def check(flags: int, allowed: int, function: str, domain: int | None = None) -> None:
    """Refuse unknown bits the way libvirt words it.

    function: the name clients see in the message (`qemuDomainCreateWithFlags`).
    """
    unknown = flags & ~allowed
    if unknown:
        raise InvalidArg(
            f"unsupported flags (0x{unknown:x}) in function {function}",
            domain=domain, verbatim=True, str1=function, str2="flags", int1=0, int2=0,
        )  # fmt: skip
