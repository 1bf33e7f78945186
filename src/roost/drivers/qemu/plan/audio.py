"""Host audio backends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from roost.drivers.qemu.plan.context import Context
from roost.drivers.qemu.plan.pieces import Piece, Props, compact
from roost.errors import ConfigUnsupported, From
from roost.model.domain.devices.sound import Audio, AudioDirection, PipewireAudio, SdlAudio

#: QEMU's names of backends that are called otherwise in documents.
_DRIVERS = {"pulseaudio": "pa", "file": "wav"}
#: Its names of what a backend has as a whole, and of a direction's settings, by the record's field.
_BACKEND_PROPS = {
    "timer_period": "timer-period", "try_mmap": "try-mmap", "exclusive": "exclusive", "dsp_policy": "dsp-policy",
    "server_name": "server", "path": "path",
}  # fmt: skip
_DIRECTION_PROPS = {
    "mixing_engine": "mixing-engine", "fixed_settings": "fixed-settings", "voices": "voices",
    "buffer_length": "buffer-length", "dev": "dev", "buffer_count": "buffer-count", "server_name": "server-name",
    "client_name": "client-name", "connect_ports": "connect-ports", "exact_name": "exact-name",
    "try_poll": "try-poll", "name": "name", "stream_name": "stream-name", "latency": "latency",
}  # fmt: skip
_SETTINGS_PROPS = ("frequency", "channels", "format")


def _props(record: Any, names: dict[str, str]) -> Props:
    return {theirs: getattr(record, ours, None) for ours, theirs in names.items()}


def _direction(direction: AudioDirection | None) -> Props | None:
    if direction is None:
        return None
    props = _props(direction, _DIRECTION_PROPS)
    if direction.settings is not None:
        props |= {name: getattr(direction.settings, name) for name in _SETTINGS_PROPS}
    return compact(props) or None


def driver_name(audio: Audio) -> str:
    """What QEMU calls the backend."""
    return _DRIVERS.get(audio.type, audio.type)


def audiodev(audio: Audio, ctx: Context) -> Piece:
    """The backend, whether this QEMU has it or not: its absence is for QEMU to tell, as modules bring most."""
    backend = audio.backend
    data = {"id": audio_name(audio.id), "driver": driver_name(audio), **_props(backend, _BACKEND_PROPS)}
    data["in"] = _direction(getattr(backend, "input", None))
    data["out"] = _direction(getattr(backend, "output", None))
    return Piece("audiodev", compact(data))


def audio_name(number: int) -> str:
    """What QEMU calls the backend of that number."""
    return f"audio{number}"


def chosen(number: int | None, ctx: Context) -> str | None:
    """The backend that a card or display plays to: the one it names, else the first; None without any."""
    audios = ctx.domain.devices.audios
    if number is None:
        return audio_name(audios[0].id) if audios else None
    if all(audio.id != number for audio in audios):
        raise ConfigUnsupported(f"unable to find audio backend {number}", domain=From.QEMU)
    return audio_name(number)


def environment(ctx: Context) -> dict[str, str]:
    """What backends read from QEMU's environment."""
    found: dict[str, str] = {}
    for audio in ctx.domain.devices.audios:
        backend = audio.backend
        if isinstance(backend, SdlAudio) and backend.driver is not None:
            found["SDL_AUDIODRIVER"] = backend.driver
        elif isinstance(backend, PipewireAudio) and backend.runtime_dir is not None:
            found["PIPEWIRE_RUNTIME_DIR"] = backend.runtime_dir
    return found


def section(ctx: Context) -> Iterator[Piece]:
    for audio in ctx.domain.devices.audios:
        yield audiodev(audio, ctx)
