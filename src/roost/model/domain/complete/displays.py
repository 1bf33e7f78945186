"""Defaults of displays: VNC ports and listeners, video cards and their memory, the audio backend."""

from __future__ import annotations

from typing import get_args

from msgspec.structs import replace

from roost.model.domain.devices.graphics import (
    AddressListen,
    AnyListen,
    NoListen,
    SocketListen,
    SpiceChannelName,
    SpiceGraphics,
    Video,
    VideoModel,
    VncGraphics,
)
from roost.model.domain.devices.sound import Audio, NoAudio, SpiceAudio
from roost.model.domain.draft import Draft

#: KiB of video memory of a card that is given none.
_VRAM = {"vga": 16384, "cirrus": 16384, "vmvga": 16384, "bochs": 16384, "qxl": 65536, "xen": 4096}
_QXL_RAM = 65536
_QXL_VGAMEM = 16384
_EMPTY_LISTEN = AddressListen()


def complete_graphics(draft: Draft) -> None:
    for place, graphics in enumerate(draft.graphics):
        if isinstance(graphics, VncGraphics):
            draft.graphics[place] = _vnc(graphics)
        elif isinstance(graphics, SpiceGraphics):
            draft.graphics[place] = _spice(graphics)


def _vnc(vnc: VncGraphics) -> VncGraphics:
    listens = _listens(vnc.listens, vnc.listen, vnc.socket)
    first = listens[0]
    if isinstance(first, SocketListen | NoListen):
        path = first.socket if isinstance(first, SocketListen) else None
        return replace(vnc, listens=listens, listen=None, socket=path, port=None, autoport=None)
    port, autoport = vnc.port, vnc.autoport
    if port is None:
        # autoport='no' without a port is kept as it stands: the port is 0.
        autoport = autoport is not False
    elif port == -1:
        autoport = True
    else:
        autoport = bool(autoport)
    if autoport:
        port = -1
    return replace(vnc, listens=listens, listen=_address(first), socket=None, port=port, autoport=autoport)


def _spice(spice: SpiceGraphics) -> SpiceGraphics:
    listens = _listens(spice.listens, spice.listen, None)
    port, tls, autoport = spice.port, spice.tls_port, spice.autoport
    if port == -1 and tls == -1:
        autoport = True
    if autoport:
        port = tls = None
    elif port or tls:
        autoport = False
    else:
        autoport = None
    first: AnyListen = listens[0]
    if isinstance(first, AddressListen) and not port and not tls and not autoport:
        listens = (NoListen(), *listens[1:])
    modes = {channel.name: channel for channel in spice.channels if channel.mode != "any"}
    return replace(
        spice,
        listens=listens,
        listen=_address(listens[0]),
        port=port,
        tls_port=tls,
        autoport=autoport,
        channels=tuple(modes[name] for name in get_args(SpiceChannelName) if name in modes),
    )


def _listens(listens: tuple[AnyListen, ...], listen: str | None, socket: str | None) -> tuple[AnyListen, ...]:
    """The old attributes `socket` and `listen` as elements; at least one."""
    if socket and not listens:
        return (SocketListen(socket=socket),)
    if not listens:
        return (AddressListen(address=listen),) if listen else (_EMPTY_LISTEN,)
    first = listens[0]
    if isinstance(first, AddressListen) and not first.address and listen:
        return (AddressListen(address=listen), *listens[1:])
    return listens


def _address(listen: AnyListen) -> str | None:
    return listen.address if isinstance(listen, AddressListen) else None


def complete_videos(draft: Draft) -> None:
    """The card marked primary comes first; a display without a card gets one."""
    videos = draft.videos
    if draft.graphics and not videos:
        videos.append(Video())
    for place, video in enumerate(videos):
        if place and video.model and video.model.primary:
            videos.insert(0, videos.pop(place))
            break
    for place, video in enumerate(videos):
        videos[place] = _video(draft, video, primary=place == 0)


def _video(draft: Draft, video: Video, *, primary: bool) -> Video:
    model = video.model or VideoModel()
    kind = model.type or default_video(draft)
    if kind == "none" and primary:
        return Video(model=VideoModel(type="none"), alias=video.alias)
    ram, vgamem = model.ram, model.vgamem
    if kind == "qxl":
        ram, vgamem = ram or _QXL_RAM, vgamem or _QXL_VGAMEM
    completed = replace(
        model,
        type=kind,
        ram=_power_of_two(ram),
        vram=_power_of_two(model.vram, _VRAM.get(kind or "")),
        vgamem=vgamem,
        heads=1 if model.heads is None else model.heads,
        primary=True if primary else None,
    )
    driver = video.driver
    if driver is not None and driver.vgaconf is not None:
        # Of another hypervisor.
        driver = replace(driver, vgaconf=None)
    return replace(video, model=completed, driver=driver)


def default_video(draft: Draft) -> str | None:
    return draft.choose(draft.board.video)


def _power_of_two(size: int | None, default: int | None = None) -> int | None:
    """default: for a size without one, and for one whose power has more bits than libvirt keeps."""
    power = 1 << (size - 1).bit_length() if size else 0
    return power if 0 < power < 1 << 32 else default


def complete_audio(draft: Draft) -> None:
    """One backend, unless the document has its own or the display leaves the choice to the host's environment."""
    if draft.audios:
        return
    kind: str | None = None if draft.graphics else "none"
    for graphics in draft.graphics:
        if graphics.type == "vnc":
            kind = "none"
        elif graphics.type == "spice":
            kind = "spice"
        elif graphics.type == "sdl":
            kind = None
    if kind is not None:
        draft.audios.append(Audio(id=1, backend=SpiceAudio() if kind == "spice" else NoAudio()))


__all__ = ["complete_audio", "complete_graphics", "complete_videos", "default_video"]
