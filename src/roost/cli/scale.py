"""Sizes with a unit: `512`, `10M`, `2GiB`, `1KB`."""

from __future__ import annotations

from roost.cli.failure import CommandFailed
from roost.errors import InvalidArg, NumericOverflow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.errors import RoostError

_POWERS = "kmgtpe"
_MAX = 2**64 - 1


def parse_scaled(text: str, scale: int, limit: int = _MAX) -> int | None:
    """Bytes. scale: of a number without a unit. None when there is none. Raises InvalidArg and NumericOverflow."""
    digits = text.lstrip(" \t")
    length = next((place for place, character in enumerate(digits) if not "0" <= character <= "9"), len(digits))
    if not length:
        return None
    unit = _unit(digits[length:].lstrip(" \t").lower(), scale)
    if unit is None:
        raise InvalidArg(f"unknown suffix '{digits[length:]}'")
    value = int(digits[:length])
    if value > _MAX:
        return None
    if value * unit > limit:
        raise NumericOverflow(f"value too large: {value}{digits[length:]}")
    return value * unit


def _unit(suffix: str, scale: int) -> int | None:
    if not suffix:
        return scale
    if suffix in ("b", "byte", "bytes"):
        return 1
    power = _POWERS.find(suffix[0]) + 1
    if not power:
        return None
    if suffix[1:] in ("", "ib"):
        return 1 << 10 * power
    return int(1000**power) if suffix[1:] == "b" else None


def scaled(arguments: Arguments, name: str, scale: int, limit: int = _MAX) -> int | None:
    """The value of an option in bytes, None when it was not given. Raises CommandFailed."""
    text = arguments.text(name)
    if text is None:
        return None
    cause: RoostError | None = None
    try:
        value = parse_scaled(text, scale, limit)
    except (InvalidArg, NumericOverflow) as error:
        value, cause = None, error
    if value is None:
        line = f"Scaled numeric value '{text}' for <{name}> option is malformed or out of range"
        raise CommandFailed(line, cause=cause)
    return value


_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def show_size(value: int) -> str:
    """Bytes in the largest unit of which there is one."""
    scaled, unit = float(value), 0
    while scaled >= 1024 and unit < len(_UNITS) - 1:
        scaled, unit = scaled / 1024, unit + 1
    return f"{scaled:.3f} {_UNITS[unit]}"
