"""Rules about the other devices: character devices, displays, input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roost.errors import From, InternalError, XmlError
from roost.model.domain.devices.graphics import NetworkListen
from roost.model.domain.validate.connections import AUDIO_ID_RULE, CHARDEV_RULES
from roost.model.domain.validate.rules import Context, Rule, Rules, given, is_odd_size, virtio_only

_TARGET_OF_MODEL: Mapping[str, str] = {
    "isa-serial": "isa-serial",
    "usb-serial": "usb-serial",
    "pci-serial": "pci-serial",
    "spapr-vty": "spapr-vio-serial",
    "pl011": "system-serial",
    "16550a": "system-serial",
    "sclpconsole": "sclp-serial",
    "sclplmconsole": "sclp-serial",
    "isa-debugcon": "isa-debug",
}
_ADDRESS_OF_TARGET: Mapping[str, str] = {
    "isa-serial": "isa",
    "isa-debug": "isa",
    "pci-serial": "pci",
}
_NOT_X86 = frozenset(("spapr-vio-serial", "sclp-serial", "system-serial"))


def _address_kind(d: Any) -> str | None:
    return None if d.address is None else str(type(d.address).__struct_config__.tag)


def _target_needs(target: str, address: str) -> Rule:
    return Rule(
        lambda d, c: _address_kind(d) not in (None, address),
        f"Target type '{target}' requires address type '{address}'",
        about=f"target.type={target}",
    )


def _model_needs(model: str, target: str) -> Rule:
    return Rule(
        lambda d, c: d.target.type != target,
        f"Target model '{model}' requires target type '{target}'",
        "leave <model> out",
        about=f"target.model={model}",
    )


SERIAL_RULES = Rules(
    Rule(
        lambda d, c: _address_kind(d) not in (None, "usb"),
        "usb-serial requires address of usb type",
        origin=From.DOMAIN,
        about="target.type=usb-serial",
    ),
    *CHARDEV_RULES,
    *(_target_needs(target, address) for target, address in _ADDRESS_OF_TARGET.items()),
    *(_model_needs(model, target) for model, target in _TARGET_OF_MODEL.items()),
    Rule(
        lambda d, c: c.is_x86 and d.target.type in _NOT_X86,
        "Serial device with target type '{d.target.type}' and target model '{d.target.model}' not compatible "
        "with guest architecture or machine type",
        "type='isa-serial'",
    ),
)
CHANNEL_RULES = CHARDEV_RULES
CONSOLE_RULES = Rules(
    Rule(
        lambda d, c: d.target.type in ("sclp", "sclplm") and f"{d.target.type}console" not in c.facts.devices,
        "{d.target.type}console is not supported in this QEMU binary",
    ),
    Rule(
        lambda d, c: d.target.type in ("xen", "uml", "lxc", "openvz"),
        "unsupported console target type {d.target.type}",
        "type='serial' or 'virtio'",
    ),
)


def _has_egl(c: Context) -> bool:
    return any(graphics.type == "egl-headless" for graphics in c.domain.devices.graphics)


def _plays_elsewhere(d: Any, c: Context) -> bool:
    return any(audio.id == d.audio_id and audio.type != "dbus" for audio in c.domain.devices.audios)


GRAPHICS_RULES = Rules(
    Rule(
        lambda d, c: any(
            isinstance(listen, NetworkListen) and not listen.network for listen in getattr(d, "listens", ())
        ),
        "'network' attribute is required for listen type 'network'",
        error=XmlError,
        origin=From.DOMAIN,
    ),
    AUDIO_ID_RULE,
    Rule(
        lambda d, c: d.p2p and d.address,
        "D-Bus p2p with an address is not supported",
        error=XmlError,
        origin=From.DOMAIN,
        about="type=dbus",
    ),
    Rule(lambda d, c: d.type in ("rdp", "desktop"), "{d.type} graphics are not supported with this QEMU", "vnc"),
    Rule(
        lambda d, c: d.type not in ("egl-headless", "vnc", "spice") and _has_egl(c),
        "graphics type 'egl-headless' is only supported with one of: 'vnc', 'spice' graphics types",
    ),
    Rule(
        lambda d, c: d.gl and _has_egl(c),
        "multiple OpenGL displays are not supported by QEMU",
        "drop <gl> from the one of type 'spice'",
        about="type=spice",
    ),
    Rule(
        lambda d, c: _plays_elsewhere(d, c),
        "The associated audio is not of 'dbus' kind.",
        about="type=dbus",
    ),
)

_CARDS: Mapping[str, str] = {
    "vga": "VGA", "cirrus": "cirrus-vga", "vmvga": "vmware-svga", "qxl": "qxl", "virtio": "virtio-gpu-pci",
    "bochs": "bochs-display", "ramfb": "ramfb",
}  # fmt: skip
_SEVERAL_HEADS = frozenset(("qxl", "virtio", "none"))


def _small(size: int | None) -> bool:
    return size is not None and 0 < size < 1024


def _qxl_only(attribute: str) -> Rule:
    return Rule(
        lambda d, c: d.model.type != "qxl" and getattr(d.model, attribute),
        f"{attribute} attribute only supported for video type qxl",
        origin=From.DOMAIN,
        about=f"model.{attribute}",
    )


def _card_missing(d: Any, c: Context) -> bool:
    return d.model.type != "none" and _CARDS.get(d.model.type, "-") not in c.facts.devices


VIDEO_RULES = Rules(
    Rule(
        lambda d, c: d.model is None or d.model.type is None,
        "missing video model and cannot determine default",
        error=InternalError,
        origin=From.DOMAIN,
    ),
    Rule(
        lambda d, c: (
            len(c.domain.devices.videos) > 1
            and any(v.model is not None and v.model.type == "none" for v in c.domain.devices.videos)
        ),
        "a 'none' video type must be the only video device defined for the domain",
        origin=From.DOMAIN,
    ),
    Rule(
        lambda d, c: d.driver.name == "vhostuser" and d.model.type != "virtio",
        "'vhostuser' driver is only supported with 'virtio' device",
        origin=From.DOMAIN,
        about="driver",
    ),
    Rule(
        lambda d, c: (d.driver is None or d.driver.name != "vhostuser") and d.model.acceleration.rendernode,
        "unsupported rendernode accel attribute without 'vhostuser'",
        origin=From.DOMAIN,
        about="model.acceleration",
    ),
    Rule(
        lambda d, c: not (d.model.resolution.x and d.model.resolution.y),
        "video resolution values must be greater than 0",
        origin=From.DOMAIN,
        about="model.resolution",
    ),
    _qxl_only("ram"),
    _qxl_only("vram64"),
    _qxl_only("vgamem"),
    Rule(
        lambda d, c: d.model.type == "ramfb",
        "address not supported for video type ramfb",
        origin=From.DOMAIN,
        about="address",
    ),
    *virtio_only(lambda d: d.model.type == "virtio"),
    Rule(_card_missing, "domain configuration does not support video model '{d.model.type}'", "vga or virtio"),
    Rule(
        lambda d, c: d.model.type not in _SEVERAL_HEADS and not d.model.primary,
        "video type '{d.model.type}' is only valid as primary video device",
        "virtio or qxl for the second",
    ),
    Rule(
        lambda d, c: d.model.type not in _SEVERAL_HEADS and d.model.heads != 1,
        "video type '{d.model.type}' doesn't support multiple 'heads'",
        "heads='1'",
    ),
    Rule(
        lambda d, c: d.model.acceleration.accel2d,
        "qemu does not support the accel2d setting",
        about="model.acceleration",
    ),
    Rule(
        lambda d, c: _small(d.model.vgamem),
        "value for 'vgamem' must be at least 1 MiB (1024 KiB)",
        about="model.type=qxl",
    ),
    Rule(lambda d, c: is_odd_size(d.model.vgamem), "value for 'vgamem' must be power of two", about="model.type=qxl"),
    Rule(
        lambda d, c: d.model.type not in ("vga", "qxl", "virtio", "bochs"),
        "model resolution is not supported",
        error=XmlError,
        about="model.resolution",
    ),
    Rule(
        lambda d, c: d.model.type in ("vga", "vmvga") and _small(d.model.vram),
        "value for 'vram' must be at least 1 MiB (1024 KiB)",
    ),
    Rule(
        lambda d, c: d.model.acceleration.accel3d and d.model.type != "virtio",
        "3d acceleration is supported only with 'virtio' video device",
        about="model.acceleration",
    ),
)

INPUT_RULES = Rules(
    Rule(
        lambda d, c: "i8042" not in c.facts.devices,
        "ps2 is not supported by this QEMU binary",
        "bus='virtio' or 'usb'",
        about="bus=ps2",
    ),
    Rule(
        lambda d, c: d.type not in ("mouse", "keyboard"),
        "ps2 bus does not support {d.type} input device",
        "bus='usb' or 'virtio'",
        InternalError,
        From.DOMAIN,
        about="bus=ps2",
    ),
    Rule(
        given,
        "unsupported input bus {d.bus}",
        "'ps2', 'usb' or 'virtio'",
        InternalError,
        From.DOMAIN,
        about="bus=xen",
    ),
    Rule(
        lambda d, c: d.bus != "virtio",
        "only bus 'virtio' is supported for 'passthrough' input devices",
        origin=From.DOMAIN,
        about="type=passthrough",
    ),
    Rule(
        lambda d, c: d.bus not in (None, "none"),
        "input evdev doesn't support bus element",
        origin=From.DOMAIN,
        about="type=evdev",
    ),
    Rule(
        lambda d, c: d.bus != "virtio",
        "only bus 'virtio' is supported for input model '{d.model}'",
        origin=From.DOMAIN,
        about="model",
    ),
    Rule(
        lambda d, c: d.model in ("virtio-transitional", "virtio-non-transitional"),
        "virtio (non-)transitional models are not supported for input type={d.type}",
        about="bus=virtio",
    ),
)

__all__ = [
    "CHANNEL_RULES", "CONSOLE_RULES", "GRAPHICS_RULES", "INPUT_RULES",
    "SERIAL_RULES", "VIDEO_RULES",
]  # fmt: skip
