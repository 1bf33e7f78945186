"""Command lines of QEMU, compared by meaning: the same devices, names, places, properties and order of devices."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterable, Sequence

Option = tuple[str, str]

#: Options that take no value.
_BARE = frozenset(("-S", "-usb", "-no-user-config", "-nodefaults", "-no-shutdown", "-no-hpet", "-no-acpi"))
#: Options of libvirtd's that newer QEMUs have as properties of the board, as we write them.
_FOLDED = {"-no-acpi": "acpi=off", "-no-hpet": "hpet=off"}
#: Properties of the board that say what it does anyway; libvirtd leaves them out.
_DEFAULTS = frozenset(("hpet=on",))


#: A network card, and what gives one its numbers on a mainframe.
_OF_INTERFACE = re.compile(r'"netdev"|"driver": "zpci".*"target": "net')


def is_interface(option: Option) -> bool:
    """Whether an option belongs to a network interface."""
    flag, value = option
    return (
        flag == "-netdev"
        or (flag == "-device" and _OF_INTERFACE.search(value) is not None)
        or (flag == "-chardev" and "id=charnet" in value)
    )


#: What is left out of every comparison: on which options, and why. Interfaces are compared with running guests.
_LEFT_OUT: tuple[tuple[Callable[[Option], bool], str], ...] = (
    (
        lambda o: o[0] == "-chardev" and "id=charmonitor" in o[1],
        "libvirtd names a path in its own directory, we pass a descriptor",
    ),
    (
        lambda o: o[0] == "-object" and re.search(r'"qom-type": ?"secret"', o[1]) is not None,
        "libvirtd encrypts secrets with a key of its own, we pass them by descriptor",
    ),
    (
        lambda o: o[0] == "-rtc" and re.match(r"base=\d{4}-", o[1]) is not None,
        "a clock that counts from now shows the moment of the translation",
    ),
    (
        lambda o: o[0] == "-usb",
        "libvirt 9.0 asks boards without PCI for a USB controller, which they have built in or not at all",
    ),
    (is_interface, "domxml-to-native turns every interface into a bare tap with made-up descriptors"),
)


def options(words: Sequence[str]) -> list[Option]:
    """(option, value) pairs of a command line without its first word; JSON in one spelling."""
    found = []
    remaining = iter(words)
    for word in remaining:
        value = "" if word in _BARE else next(remaining, "")
        # The files that back memory are in a directory of the driver's at libvirtd, in the guest's own here.
        value = re.sub(r"/qemu/ram/(-1-[^/]*)/", r"/qemu/domain-\1/", value)
        if value.startswith("{"):
            value = json.dumps(json.loads(value), sort_keys=True)
        found.append((word, value))
    return found


def words_of(text: str) -> list[str]:
    """The words of domxml-to-native's answer after the environment."""
    words = shlex.split(text)
    return words[next(number for number, word in enumerate(words) if word.startswith("/")) :]


def comparable(words: Sequence[str]) -> list[str]:
    """The options of a whole command line that mean something, each in one spelling."""
    pairs = options(words[1:])
    folded = [_FOLDED[flag] for flag, _ in pairs if flag in _FOLDED]
    found = []
    for flag, value in pairs:
        if flag in _FOLDED or any(drop((flag, value)) for drop, _ in _LEFT_OUT):
            continue
        if flag == "-machine":
            name, *properties = value.split(",")
            value = ",".join((name, *sorted({*properties, *folded} - _DEFAULTS)))
        found.append(f"{flag} {value}".rstrip())
    return found


def devices_in_order(spelled: Iterable[str]) -> list[str]:
    """The devices: guests enumerate by their order, and what sits on a bus comes after it."""
    return [line for line in spelled if line.startswith("-device ")]
