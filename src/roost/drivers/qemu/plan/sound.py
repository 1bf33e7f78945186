"""Host audio backends and sound cards."""

from __future__ import annotations

from collections.abc import Iterator

from roost.drivers.qemu.plan.context import Context, alias_of
from roost.drivers.qemu.plan.pieces import Piece, Props, compact, device
from roost.errors import ConfigUnsupported, From
from roost.model.domain.devices.small import Audio, Sound

_CARDS = {
    "es1370": "ES1370", "ac97": "AC97", "ich6": "intel-hda", "ich9": "ich9-intel-hda", "sb16": "sb16",
    "usb": "usb-audio", "pcspk": "isa-pcspk",
}  # fmt: skip
_HDA = frozenset(("ich6", "ich9"))
_CODECS = {"duplex": "hda-duplex", "micro": "hda-micro", "output": "hda-output"}
#: Backend types that need nothing but their name here.
_BACKENDS = {"none": "none", "file": "wav"}


def audiodev(audio: Audio, ctx: Context) -> Piece:
    driver = _BACKENDS.get(audio.type)
    if driver is None or not ctx.caps.has(f"audiodev:{driver}"):
        raise ConfigUnsupported(
            f"audio type '{audio.type}' is not supported by this driver",
            domain=From.QEMU,
            hint="use one of " + ", ".join(_BACKENDS),
        )
    data = {
        "id": f"audio{audio.id}",
        "driver": driver,
        "timer-period": audio.timer_period or None,
        "path": audio.path if audio.type == "file" else None,
    }
    return Piece("audiodev", compact(data))


def pieces(sound: Sound, ctx: Context) -> Iterator[Piece]:
    alias = alias_of(sound)
    name = _CARDS.get(sound.model)
    if name is None:
        raise ConfigUnsupported(
            f"sound model '{sound.model}' is not supported by QEMU",
            domain=From.QEMU,
            hint="use one of " + ", ".join(_CARDS),
        )
    audios = ctx.domain.devices.audios
    audio = sound.audio_id or (audios[0].id if audios else None)
    backend = f"audio{audio}" if audio is not None else None
    if sound.model == "pcspk":
        return  # part of the machine, see machine.py
    props: Props = {"driver": ctx.driver(name, f"sound {sound.model}"), "id": alias}
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


def audio_section(ctx: Context) -> Iterator[Piece]:
    for audio in ctx.domain.devices.audios:
        yield audiodev(audio, ctx)
