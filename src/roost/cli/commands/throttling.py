"""Limits of disks, of block I/O and of interfaces."""

from __future__ import annotations

from roost.cli.failure import CommandFailed
from roost.cli.parser import parse_integer
from roost.cli.scale import scaled
from roost.cli.table import ALIAS, DATA, NUMBER, TEXT, Command, Option, config_live_current, domain_argument
from roost.cli.tunable import Tunable, affected
from roost.constants import domain as constants
from roost.constants import typed_params as kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell
    from roost.cli.tunable import Sent

_UINT_MAX, _ULLONG_MAX = 2**32 - 1, 2**64 - 1

# -- block I/O

_BLKIO = Tunable(
    "BLKIO_PARAMETERS",
    "Unable to get number of blkio parameters",
    "Unable to get blkio parameters",
    "Unable to change blkio parameters",
)
#: Options and their parameters.
_DEVICES = {
    "device-weights": constants.BLKIO_DEVICE_WEIGHT,
    "device-read-iops-sec": constants.BLKIO_DEVICE_READ_IOPS,
    "device-write-iops-sec": constants.BLKIO_DEVICE_WRITE_IOPS,
    "device-read-bytes-sec": constants.BLKIO_DEVICE_READ_BPS,
    "device-write-bytes-sec": constants.BLKIO_DEVICE_WRITE_BPS,
}


def _blkiotune(shell: Shell, arguments: Arguments) -> None:
    affected(arguments)
    shell.domain(arguments)
    params: list[Sent] = []
    weight = arguments.number("weight")
    if weight is not None:
        if weight <= 0:
            raise CommandFailed(f"Invalid value of {weight} for I/O weight")
        params.append((constants.BLKIO_WEIGHT, (kinds.UINT, weight)))
    for option, name in _DEVICES.items():
        text = arguments.text(option)
        if text is not None:
            params.append((name, (kinds.STRING, text)))
    _BLKIO.run(shell, arguments, params)


_IOTUNE = Tunable(
    "BLOCK_IO_TUNE",
    "Unable to get number of block I/O throttle parameters",
    "Unable to get block I/O throttle parameters",
    "Unable to change block I/O throttle",
)
_WHOSE = ("total", "read", "write")
_SCALED = tuple(f"{whose}-bytes-sec{burst}" for burst in ("", "-max") for whose in _WHOSE)
_COUNTS = (
    *(f"{whose}-iops-sec{burst}" for burst in ("", "-max") for whose in _WHOSE),
    "size-iops-sec",
    *(f"{whose}-{what}-sec-max-length" for what in ("bytes", "iops") for whose in _WHOSE),
)


def throttles(arguments: Arguments) -> list[Sent]:
    """The limits that the options say, but for the name of a group."""
    params: list[Sent] = []
    try:
        for name in (*_SCALED, *_COUNTS):
            value = scaled(arguments, name, 1) if name in _SCALED else arguments.number(name, 0, _ULLONG_MAX)
            if value is not None:
                params.append((name.replace("-", "_"), (kinds.ULLONG, value)))
    except CommandFailed as error:
        raise CommandFailed(*error.lines, "Unable to parse integer parameter", cause=error.cause) from None
    return params


def _blkdeviotune(shell: Shell, arguments: Arguments) -> None:
    affected(arguments)
    shell.domain(arguments)
    params = throttles(arguments)
    group = arguments.text("group-name")
    if group is not None:
        params.append(("group_name", (kinds.STRING, group)))
    _IOTUNE.run(shell, arguments, params, arguments.required("device"))


# -- bandwidth

_BANDWIDTH = Tunable(
    "INTERFACE_PARAMETERS",
    "Unable to get number of interface parameters",
    "Unable to get interface parameters",
    "Unable to set interface parameters",
)
_RATE = ("average", "peak", "burst", "floor")


def _domiftune(shell: Shell, arguments: Arguments) -> None:
    affected(arguments)
    shell.domain(arguments)
    params: list[Sent] = []
    for direction in ("inbound", "outbound"):
        text = arguments.text(direction)
        if text is None:
            continue
        rate = _rate(text)
        if any(value > _UINT_MAX for value in rate.values()):
            raise CommandFailed(f"{direction} rate larger than maximum {_UINT_MAX}")
        more = rate["burst"] or rate["peak"]
        if direction == "inbound" and more and not rate["average"] and not rate["floor"]:
            raise CommandFailed("either inbound average or floor is mandatory")
        if direction == "outbound" and more and not rate["average"]:
            raise CommandFailed("outbound average is mandatory")
        if direction == "outbound" and rate["floor"]:
            raise CommandFailed("outbound floor is unsupported yet")
        params += [
            (f"{direction}.{field}", (kinds.UINT, value))
            for field, value in rate.items()
            if value or field == "average"
        ]
    _BANDWIDTH.run(shell, arguments, params, arguments.required("interface"))


def _rate(text: str) -> dict[str, int]:
    """average, peak, burst, floor; what is left out is 0."""
    words = text.split(",")
    if len(words) > len(_RATE):
        raise CommandFailed(f"Rate string '{text}' has too many fields")
    rate = dict.fromkeys(_RATE, 0)
    for field, word in zip(_RATE, words, strict=False):
        value = parse_integer(word) if word else 0
        if value is None or not 0 <= value <= _ULLONG_MAX:
            raise CommandFailed(f"field '{field}' is malformed")
        rate[field] = value
    return rate


# -- options


def _spellings(name: str, kind: str, help: str) -> tuple[Option, Option]:
    """An option, and its older name with underscores."""
    return Option(name.replace("-", "_"), ALIAS, target=name), Option(name, kind, help)


def _throttles() -> tuple[Option, ...]:
    """All limits of a disk, in virsh's order."""
    found: list[Option] = []
    for burst, of in (("", ""), ("-max", ", in bursts")):
        for what, unit in (("bytes", "bytes"), ("iops", "operations")):
            for whose in _WHOSE:
                found += _spellings(f"{whose}-{what}-sec{burst}", NUMBER, f"{whose} {unit} a second{of}")
    found += _spellings("size-iops-sec", NUMBER, "bytes that count as one operation")
    found += _spellings("group-name", TEXT, "share the limits with the disks of this group")
    for what in ("bytes", "iops"):
        for whose in _WHOSE:
            name = f"{whose}-{what}-sec-max-length"
            found += _spellings(name, NUMBER, f"seconds that a burst of {whose} {what} may last")
    return tuple(found)


THROTTLES = _throttles()

COMMANDS = (
    Command(
        "blkdeviotune",
        _blkdeviotune,
        "limits of a disk",
        "Shows how fast a disk of the guest may be, or changes it. A total cannot be given beside reads and writes.",
        domain_argument(),
        Option("device", DATA, "target or image of the disk", required=True, completes="disks"),
        *THROTTLES,
        *config_live_current(),
    ),
    Command(
        "blkiotune",
        _blkiotune,
        "limits of block I/O",
        "Shows what part of the host's block I/O the domain has, or changes it. Lists for devices of the host are\n"
        "of the form /dev/sda,VALUE,/dev/sdb,VALUE.",
        domain_argument(),
        Option("weight", NUMBER, "the domain's part among others"),
        *(Option(name, TEXT, f"{name.replace('device-', '').replace('-', ' ')} of devices") for name in _DEVICES),
        *config_live_current(),
    ),
    Command(
        "domiftune",
        _domiftune,
        "limits of an interface",
        "Shows how fast an interface of the guest may be, or changes it. Rates are average,peak,burst,floor in\n"
        "kilobytes a second and kilobytes.",
        domain_argument(),
        Option("interface", DATA, "its name on the host or MAC address", required=True, completes="interfaces"),
        Option("inbound", TEXT, "what the guest receives"),
        Option("outbound", TEXT, "what the guest sends"),
        *config_live_current(),
    ),
)
