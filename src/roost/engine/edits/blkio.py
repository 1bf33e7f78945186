"""<blkiotune>: a weight, and lists of limits for the host's block devices, such as `/dev/sda,300,/dev/sdb,500`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from msgspec.structs import replace

from roost.constants import domain as D
from roost.constants import typed_params as T
from roost.contract.typed_params import TypedParam, string, uint
from roost.errors import From, InvalidArg
from roost.host.api import DeviceSetting
from roost.model.domain import Domain
from roost.model.domain.tuning import BlkioDevice, BlkioTune

#: The parameters, in the order of libvirt's answer.
BLKIO_DEVICES: Mapping[str, DeviceSetting] = {f"device_{each}": each for each in get_args(DeviceSetting)}
#: All parameters and their types.
PARAMETERS: Mapping[str, int] = {D.BLKIO_WEIGHT: T.UINT, **dict.fromkeys(BLKIO_DEVICES, T.STRING)}
_LARGEST: Mapping[str, int] = {"read_bytes_sec": 2**64 - 1, "write_bytes_sec": 2**64 - 1}


def parse_devices(name: str, text: str) -> dict[str, int]:
    """Values by path. Raises InvalidArg."""
    if not text:
        return {}
    words = text.split(",")
    if len(words) % 2:
        raise InvalidArg(
            f"unable to parse blkio device '{name}' '{text}'",
            domain=From.DOMAIN,
            hint="as in /dev/sda,300,/dev/sdb,500",
        )
    found = {}
    for path, value in zip(words[::2], words[1::2], strict=True):
        if not value.isdecimal() or int(value) > _LARGEST.get(BLKIO_DEVICES[name], 2**32 - 1):
            raise InvalidArg(f"invalid value '{value}' for parameter '{name}' of device '{path}'", domain=From.DOMAIN)
        found[path] = int(value)
    return found


def device_lists(tune: BlkioTune) -> Iterator[tuple[str, str]]:
    """Each parameter and its list."""
    for name, field in BLKIO_DEVICES.items():
        limits = ((device.path, getattr(device, field)) for device in tune.devices)
        yield name, ",".join(f"{path},{value}" for path, value in limits if value)


def with_devices(tune: BlkioTune, changes: Mapping[DeviceSetting, Mapping[str, int]]) -> BlkioTune:
    """The element with limits of devices changed; a value of 0 takes one away."""
    devices = {device.path: device for device in tune.devices}
    for field, limits in changes.items():
        for path, value in limits.items():
            devices[path] = replace(devices.get(path, BlkioDevice(path=path)), **{field: value or None})
    kept = (device for device in devices.values() if device != BlkioDevice(path=device.path))
    return replace(tune, devices=tuple(kept))


class Limits:
    """What a call asks for. weight: None where it is not to change. devices: values by path."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        """Raises InvalidArg."""
        self.weight: int | None = values.get(D.BLKIO_WEIGHT)
        self.devices = {
            setting: parse_devices(name, values[name]) for name, setting in BLKIO_DEVICES.items() if name in values
        }

    def edit(self, document: Domain) -> Domain:
        """The document with them."""
        tune = with_devices(document.blkiotune or BlkioTune(), self.devices)
        if self.weight is not None:
            tune = replace(tune, weight=self.weight or None)
        return replace(document, blkiotune=None if tune == BlkioTune() else tune)


def shown(document: Domain, weight: int | None = None) -> Sequence[TypedParam]:
    """All parameters. weight: what it really is, where that is known better."""
    tune = document.blkiotune or BlkioTune()
    weight = tune.weight or 0 if weight is None else weight
    return (uint(D.BLKIO_WEIGHT, weight), *(string(name, text) for name, text in device_lists(tune)))


__all__ = ["BLKIO_DEVICES", "PARAMETERS", "Limits", "device_lists", "parse_devices", "shown", "with_devices"]
