"""The check of flags that every call begins with."""

from __future__ import annotations

from roost.errors import From, InvalidArg

#: A flag's number and its name in libvirt's API.
Named = tuple[int, str]


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


def exclusive(flags: int, one: Named, other: Named, domain: int = From.DOMAIN) -> None:
    """Refuse two flags that contradict each other."""
    if flags & one[0] and flags & other[0]:
        raise InvalidArg(f"Flags '{one[1]}' and '{other[1]}' are mutually exclusive", domain=domain, verbatim=True)


def require(flags: int, one: Named, needed: Named, domain: int = From.DOMAIN) -> None:
    """Refuse a flag that means nothing without another."""
    if flags & one[0] and not flags & needed[0]:
        raise InvalidArg(f"Flag '{needed[1]}' is required by flag '{one[1]}'", domain=domain, verbatim=True)
