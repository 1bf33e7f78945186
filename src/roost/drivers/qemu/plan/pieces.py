"""Pieces: what a device contributes to a launch, ready for the command line and for QMP alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

Props = dict[str, Any]


class Piece(NamedTuple):
    """One object, backend, device or plain option.

    kind: object, blockdev, netdev, chardev, device, audiodev, fdset: `data` is what
    QMP takes (object-add, blockdev-add, netdev_add, chardev-add, device_add,
    add-fd); "option": `data["words"]` are command line words without a twin in QMP.
    """

    kind: str
    data: Props


def compact(props: Mapping[str, Any]) -> Props:
    """Without what is None: properties left at QEMU's default."""
    return {key: value for key, value in props.items() if value is not None}


def option(*words: str) -> Piece:
    return Piece("option", {"words": words})


def device(props: Mapping[str, Any]) -> Piece:
    return Piece("device", compact(props))


def escape(text: str) -> str:
    """A value inside an option of the form a=b,c=d: commas are doubled."""
    return text.replace(",", ",,") if "," in text else text


def on_off(value: bool) -> str:
    return "on" if value else "off"


_encode = msgspec.json.Encoder().encode


def _json(flag: str) -> Callable[[Props], tuple[str, ...]]:
    return lambda data: (flag, _encode(data).decode("utf-8", "surrogateescape"))


#: Members of a QAPI chardev backend whose name in -chardev differs.
_CHARDEV_TYPES = {"udp": "udp", "vdagent": "qemu-vdagent"}
#: What -chardev takes and QMP does not.
_CHARDEV_WORDS = {"qemu-vdagent": ("name=vdagent",)}
_CHARDEV_KEYS = {"device": "path", "out": "path", "fqdn": "name", "type": "name"}


def _flat(data: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """The words of a chardev backend: socket addresses unfolded."""
    for key, value in data.items():
        if key == "addr":
            address = value["data"]
            if value["type"] == "fd":
                yield "fd", address["str"]
            else:
                yield from _flat(address)
        elif isinstance(value, bool):
            yield _CHARDEV_KEYS.get(key, key), on_off(value)
        elif isinstance(value, Mapping):
            remote = value["data"]
            prefix = "local" if key == "local" else ""
            yield ("localaddr" if prefix else "host"), remote["host"]
            yield f"{prefix}port", remote["port"]
        else:
            yield _CHARDEV_KEYS.get(key, key), str(value)


def _chardev(data: Props) -> tuple[str, ...]:
    backend = data["backend"]
    kind = _CHARDEV_TYPES.get(backend["type"], backend["type"])
    words = [kind, f"id={data['id']}"]
    words.extend(_CHARDEV_WORDS.get(kind, ()))
    words.extend(f"{key}={escape(value)}" for key, value in _flat(backend["data"]))
    return ("-chardev", ",".join(words))


def _fdset(data: Props) -> tuple[str, ...]:
    return ("-add-fd", f"set={data['fdset-id']},fd={data['fd']},opaque={data['opaque']}")


_RENDER: dict[str, Callable[[Props], tuple[str, ...]]] = {
    "object": _json("-object"),
    "blockdev": _json("-blockdev"),
    "netdev": _json("-netdev"),
    "device": _json("-device"),
    "audiodev": _json("-audiodev"),
    "chardev": _chardev,
    "fdset": _fdset,
    "option": lambda data: data["words"],
}


def render(piece: Piece) -> tuple[str, ...]:
    """The words of a piece on the command line."""
    return _RENDER[piece.kind](piece.data)
