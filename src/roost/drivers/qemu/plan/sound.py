"""Sound cards."""

from __future__ import annotations

from collections.abc import Iterator

from roost.drivers.qemu.plan import audio
from roost.drivers.qemu.plan.context import Context, alias_of
from roost.drivers.qemu.plan.pieces import Piece, Props, device
from roost.errors import ConfigUnsupported, From
from roost.model.domain.devices.sound import Sound

_CARDS = {
    "es1370": "ES1370", "ac97": "AC97", "ich6": "intel-hda", "ich9": "ich9-intel-hda", "sb16": "sb16",
    "usb": "usb-audio", "pcspk": "isa-pcspk", "virtio": "virtio-sound",
}  # fmt: skip
_HDA = frozenset(("ich6", "ich9"))
_CODECS = {"duplex": "hda-duplex", "micro": "hda-micro", "output": "hda-output"}


def pieces(sound: Sound, ctx: Context) -> Iterator[Piece]:
    alias = alias_of(sound)
    name = _CARDS.get(sound.model)
    if name is None:
        raise ConfigUnsupported(
            f"sound card model '{sound.model}' is not supported by qemu",
            domain=From.QEMU,
            hint="use one of " + ", ".join(_CARDS),
        )
    if sound.model == "pcspk":
        return  # part of the machine, see machine.py
    backend = audio.chosen(sound.audio_id, ctx)
    props: Props
    if sound.model == "virtio":
        props = ctx.virtio(name, sound, sound.driver) | {"id": alias, "streams": sound.streams}
    else:
        props = {"driver": ctx.driver(name, f"sound {sound.model}"), "id": alias, "multi": sound.multichannel}
    if sound.model not in _HDA:
        props["audiodev"] = backend
        yield device(props | ctx.address(sound))
        return
    yield device(props | ctx.address(sound))
    kinds = [codec.type for codec in sound.codecs] or ["duplex"]
    for number, kind in enumerate(kinds):
        yield device(
            {
                "driver": ctx.driver(_CODECS[kind], f"sound codec {kind}"),
                "id": f"{alias}-codec{number}",
                "bus": f"{alias}.0",
                "cad": number,
                "audiodev": backend,
            }
        )


def section(ctx: Context) -> Iterator[Piece]:
    for sound in ctx.domain.devices.sounds:
        yield from pieces(sound, ctx)
