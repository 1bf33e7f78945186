"""Sound cards and the host audio backends they play to: <sound>, <audio>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import ConfigUnsupported
from roost.model.domain.device import Device, VirtioOptions
from roost.xml import Complaint, Integer, Positive, Record, UInt, YesNo, at, inline, tag_of


class SoundCodec(Record):
    type: Annotated[
        Literal["duplex", "micro", "output"],
        at("@type", wrong=Complaint(ConfigUnsupported, "unknown codec type '%s'")),
    ]


class Sound(Device):
    """multichannel: of a USB card, more than two channels. streams: of a virtio card, how many."""

    model: Literal["sb16", "es1370", "pcspk", "ac97", "ich6", "ich9", "usb", "ich7", "virtio"]
    multichannel: YesNo | None = None
    streams: Annotated[UInt | None, at("@streams", unset=("0",))] = None
    codecs: Annotated[tuple[SoundCodec, ...], at("codec")] = ()
    audio_id: Annotated[Positive | None, at("audio/@id")] = None
    driver: Annotated[VirtioOptions | None, at("driver", order=9)] = None


class AudioSettings(Record):
    """The format of samples, where it is not the guest's."""

    frequency: Positive | None = None
    channels: Positive | None = None
    format: Literal["s8", "u8", "s16", "u16", "s32", "u32", "f32"] | None = None


class AudioDirection(Record):
    """Recording or playing, as far as every backend knows it. buffer_length: microseconds."""

    mixing_engine: Annotated[YesNo | None, at("@mixingEngine")] = None
    fixed_settings: Annotated[YesNo | None, at("@fixedSettings")] = None
    voices: Positive | None = None
    buffer_length: Annotated[Positive | None, at("@bufferLength")] = None
    settings: Annotated[AudioSettings | None, at("settings", keep_empty=True, order=9)] = None


class AlsaDirection(AudioDirection):
    dev: str | None = None


class CountedDirection(AudioDirection):
    """buffer_count: how many buffers the host's library is given."""

    buffer_count: Annotated[UInt | None, at("@bufferCount", unset=("0",))] = None


class JackDirection(AudioDirection):
    server_name: Annotated[str | None, at("@serverName")] = None
    client_name: Annotated[str | None, at("@clientName")] = None
    connect_ports: Annotated[str | None, at("@connectPorts")] = None
    exact_name: Annotated[YesNo | None, at("@exactName")] = None


class OssDirection(AudioDirection):
    dev: str | None = None
    buffer_count: Annotated[UInt | None, at("@bufferCount", unset=("0",))] = None
    try_poll: Annotated[YesNo | None, at("@tryPoll")] = None


class NamedDirection(AudioDirection):
    """latency: microseconds."""

    name: str | None = None
    stream_name: Annotated[str | None, at("@streamName")] = None
    latency: Annotated[UInt | None, at("@latency", unset=("0",))] = None


class AudioBackend(Record, tag_field="type"):
    """Where sound goes; `AnyAudioBackend` is the union. timer_period: microseconds."""

    timer_period: Annotated[Positive | None, at("@timerPeriod")] = None


class NoAudio(AudioBackend, tag="none"):
    input: AudioDirection | None = None
    output: AudioDirection | None = None


class AlsaAudio(AudioBackend, tag="alsa"):
    input: AlsaDirection | None = None
    output: AlsaDirection | None = None


class CoreAudio(AudioBackend, tag="coreaudio"):
    input: CountedDirection | None = None
    output: CountedDirection | None = None


class JackAudio(AudioBackend, tag="jack"):
    input: JackDirection | None = None
    output: JackDirection | None = None


class OssAudio(AudioBackend, tag="oss"):
    try_mmap: Annotated[YesNo | None, at("@tryMMap")] = None
    exclusive: YesNo | None = None
    dsp_policy: Annotated[Annotated[int, Integer(-(2**31), 2**31 - 1)] | None, at("@dspPolicy")] = None
    input: OssDirection | None = None
    output: OssDirection | None = None


class PulseAudio(AudioBackend, tag="pulseaudio"):
    server_name: Annotated[str | None, at("@serverName")] = None
    input: NamedDirection | None = None
    output: NamedDirection | None = None


class PipewireAudio(AudioBackend, tag="pipewire"):
    runtime_dir: Annotated[str | None, at("@runtimeDir")] = None
    input: NamedDirection | None = None
    output: NamedDirection | None = None


class SdlAudio(AudioBackend, tag="sdl"):
    driver: Literal["esd", "alsa", "arts", "pulseaudio"] | None = None
    input: CountedDirection | None = None
    output: CountedDirection | None = None


class SpiceAudio(AudioBackend, tag="spice"):
    input: AudioDirection | None = None
    output: AudioDirection | None = None


class FileAudio(AudioBackend, tag="file"):
    path: str | None = None
    input: AudioDirection | None = None
    output: AudioDirection | None = None


class DbusAudio(AudioBackend, tag="dbus"):
    input: AudioDirection | None = None
    output: AudioDirection | None = None


AnyAudioBackend = (
    NoAudio
    | AlsaAudio
    | CoreAudio
    | JackAudio
    | OssAudio
    | PulseAudio
    | PipewireAudio
    | SdlAudio
    | SpiceAudio
    | FileAudio
    | DbusAudio
)


class Audio(Record):
    """A host audio backend, referred to by number."""

    id: Positive
    backend: Annotated[AnyAudioBackend, inline(after="id")]

    @property
    def type(self) -> str:
        """The kind of backend: none, alsa, spice, ..."""
        return tag_of(self.backend)


__all__ = [
    "AlsaAudio", "AlsaDirection", "AnyAudioBackend", "Audio", "AudioBackend", "AudioDirection", "AudioSettings",
    "CoreAudio", "CountedDirection", "DbusAudio", "FileAudio", "JackAudio", "JackDirection", "NamedDirection",
    "NoAudio", "OssAudio", "OssDirection", "PipewireAudio", "PulseAudio", "SdlAudio", "Sound", "SoundCodec",
    "SpiceAudio",
]  # fmt: skip
