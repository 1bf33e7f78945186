"""Graphics cards."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from roost.drivers.qemu.plan.context import Context, alias_of, virtio_options
from roost.drivers.qemu.plan.pieces import Piece, Props, device
from roost.errors import ConfigUnsupported, From, OperationFailed
from roost.model.domain.devices.graphics import Video, VideoModel

#: Model to the device with VGA compatibility, which the first card gets.
_PRIMARY = {
    "vga": "VGA",
    "cirrus": "cirrus-vga",
    "vmvga": "vmware-svga",
    "qxl": "qxl-vga",
    "virtio": "virtio-vga",
    "bochs": "bochs-display",
    "ramfb": "ramfb",
}
#: And to the one without.
_SECONDARY = {"qxl": "qxl", "virtio": "virtio-gpu"}


def _mebibytes(kib: int | None) -> int | None:
    return kib // 1024 if kib else None


def _bytes(kib: int | None) -> int | None:
    return kib * 1024 if kib else None


def _qxl(model: VideoModel) -> Props:
    return {
        "max_outputs": model.heads,
        "ram_size": _bytes(model.ram),
        "vram_size": _bytes(model.vram),
        "vram64_size_mb": (model.vram64 or 0) // 1024,
        "vgamem_mb": (model.vgamem or 0) // 1024,
    }


_MEMORY: dict[str, Callable[[VideoModel], Props]] = {
    "vga": lambda model: {"vgamem_mb": _mebibytes(model.vram)},
    "vmvga": lambda model: {"vgamem_mb": _mebibytes(model.vram)},
    "bochs": lambda model: {"vgamem": _bytes(model.vram)},
    "virtio": lambda model: {"max_outputs": model.heads},
    "qxl": _qxl,
}


def _driver(video: Video, model: VideoModel, ctx: Context) -> Props:
    kind = model.type or ""
    name = (_PRIMARY if model.primary else _SECONDARY).get(kind)
    primary = bool(model.primary)
    if name is not None and primary and not ctx.caps.has(name) and kind in _SECONDARY:
        # Some machines have the card, but none with VGA compatibility.
        name, primary = _SECONDARY[kind], False
    if name is None:
        raise ConfigUnsupported(
            f"invalid model for video type '{model.type}'" if kind in _PRIMARY else f"unsupported video type '{kind}'",
            domain=From.QEMU,
            hint="use one of " + ", ".join(_SECONDARY if kind in _PRIMARY else _PRIMARY),
        )
    if kind != "virtio":
        return {"driver": ctx.driver(name, f"video {kind}")}
    if model.acceleration is not None and model.acceleration.accel3d:
        name += "-gl"
    if not primary:
        return ctx.virtio(name, video, video.driver)
    return {"driver": ctx.driver(name, f"video {kind}"), **virtio_options(video.driver)}


def pieces(video: Video, ctx: Context) -> Iterator[Piece]:
    model = video.model or VideoModel(type="vga", primary=True)
    if model.type == "none":
        return
    if video.driver is not None and video.driver.name == "vhostuser":
        raise OperationFailed(
            "Unable to find a satisfying vhost-user-gpu",
            domain=From.QEMU,
            hint="this driver runs no card in a process of its own; use <driver name='qemu'/>",
        )
    props = _driver(video, model, ctx) | {"id": alias_of(video), "blob": model.blob, "edid": model.edid}
    memory = _MEMORY.get(model.type or "")
    if memory is not None:
        props |= memory(model)
    if model.resolution is not None:
        props |= {"xres": model.resolution.x, "yres": model.resolution.y}
    yield device(props | ctx.address(video))


def section(ctx: Context) -> Iterator[Piece]:
    for video in ctx.domain.devices.videos:
        yield from pieces(video, ctx)
