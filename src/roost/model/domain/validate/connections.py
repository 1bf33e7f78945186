"""Rules about host devices, redirected ones, card readers and sound, with the machine and the other devices known."""

from __future__ import annotations

from typing import Any

from roost.errors import From, XmlError
from roost.model.domain.device import CcidAddress
from roost.model.domain.devices.hostdev import MdevHostdev, PciHostdev, ScsiHostHostdev
from roost.model.domain.validate.rules import Context, Rule, Rules


def _has_spice(c: Context) -> bool:
    return any(graphics.type == "spice" for graphics in c.domain.devices.graphics)


def _source(device: Any) -> Any:
    """The host's end of a character device, of redirection or of a card reader."""
    return getattr(getattr(device, "card", device), "source", None)


def _spice_rule(kind: str) -> Rule:
    """A host end of that kind needs a SPICE display."""
    return Rule(
        lambda d, c: getattr(getattr(_source(d), "__struct_config__", None), "tag", "") == kind and not _has_spice(c),
        f"chardev '{kind}' not supported without spice graphics",
        "add <graphics type='spice'/>",
    )


CHARDEV_RULES = Rules(_spice_rule("spicevmc"), _spice_rule("spiceport"))


def _mdev(d: Any, model: str) -> bool:
    return isinstance(d.source, MdevHostdev) and d.source.model == model


HOSTDEV_RULES = Rules(
    Rule(
        lambda d, c: d.teaming.type != "transient",
        "teaming hostdev devices must have type='transient'",
        origin=From.DOMAIN,
        about="teaming",
    ),
    Rule(
        lambda d, c: not d.teaming.persistent,
        "missing required persistent attribute in hostdev teaming element",
        "the alias of the interface that stays",
        origin=From.DOMAIN,
        about="teaming",
    ),
    Rule(
        lambda d, c: not isinstance(d.source, PciHostdev),
        "teaming is only supported for pci hostdev devices",
        origin=From.DOMAIN,
        about="teaming",
    ),
    Rule(
        lambda d, c: d.mode == "capabilities",
        "hostdev mode 'capabilities' is not supported in {c.domain.type}",
        "mode='subsystem'",
        about="mode",
    ),
    Rule(
        lambda d, c: isinstance(d.source, PciHostdev) and d.source.write_filtering is not None,
        "Write filtering of PCI device configuration space is not supported by qemu",
        "leave writeFiltering out",
    ),
    Rule(
        lambda d, c: isinstance(d.source, ScsiHostHostdev),
        "booting from assigned devices is not supported by vhost SCSI devices",
        about="boot",
    ),
    Rule(
        lambda d, c: isinstance(d.source, ScsiHostHostdev) and "vhost-scsi" not in c.facts.devices,
        "This QEMU doesn't support vhost-scsi devices",
    ),
    Rule(
        lambda d, c: _mdev(d, "vfio-ccw") and "vfio-ccw" not in c.facts.devices,
        "VFIO CCW device assignment is not supported by this version of QEMU",
    ),
    Rule(
        lambda d, c: _mdev(d, "vfio-ap") and "vfio-ap" not in c.facts.devices,
        "VFIO AP device assignment is not supported by this version of QEMU",
    ),
    Rule(
        lambda d, c: _mdev(d, "vfio-pci") and "vfio-pci" not in c.facts.devices,
        "VFIO PCI device assignment is not supported by this version of QEMU",
    ),
    Rule(
        lambda d, c: _mdev(d, "vfio-pci"),
        "booting from assigned devices is not supported by mediated devices of model vfio-pci",
        about="boot",
    ),
    Rule(
        lambda d, c: isinstance(d.source, MdevHostdev) and d.source.display and not c.domain.devices.graphics,
        "graphics device is needed for attribute value 'display=on' in <hostdev>",
        "add <graphics type='vnc'/>",
    ),
)

REDIRDEV_RULES = Rules(
    *CHARDEV_RULES,
    Rule(
        lambda d, c: "usb-redir" not in c.facts.devices,
        "USB redirection is not supported by this version of QEMU",
    ),
)

SMARTCARD_RULES = Rules(
    Rule(
        lambda d, c: len(c.domain.devices.smartcards) > 1 or d.address != CcidAddress(),
        "this QEMU binary lacks multiple smartcard support",
        "one <smartcard>, in slot 0 of controller 0",
    ),
    Rule(
        lambda d, c: d.mode != "passthrough" and "ccid-card-emulated" not in c.facts.devices,
        "this QEMU binary lacks smartcard host mode support",
    ),
    Rule(
        lambda d, c: "ccid-card-passthru" not in c.facts.devices,
        "this QEMU binary lacks smartcard passthrough mode support",
        about="mode=passthrough",
    ),
    *CHARDEV_RULES,
)


def _no_audio(number: int | None, c: Context) -> bool:
    return bool(number) and all(audio.id != number for audio in c.domain.devices.audios)


AUDIO_ID_RULE = Rule(
    lambda d, c: _no_audio(getattr(d, "audio_id", None), c),
    "no audio device with ID {d.audio_id}",
    "<audio id='{d.audio_id}' type='none'/>",
    XmlError,
    From.DOMAIN,
)

SOUND_RULES = Rules(
    AUDIO_ID_RULE,
    Rule(
        lambda d, c: "usb-audio" not in c.facts.devices,
        "usb-audio controller is not supported by this QEMU binary",
        about="model=usb",
    ),
    Rule(
        lambda d, c: "ich9-intel-hda" not in c.facts.devices,
        "The ich9-intel-hda audio controller is not supported in this QEMU binary",
        about="model=ich9",
    ),
    Rule(
        lambda d, c: "virtio-sound-pci" not in c.facts.devices,
        "virtio-sound controller is not supported in this QEMU binary",
        "a QEMU of 8.2 or later has it",
        about="model=virtio",
    ),
)


def _is_repeated(d: Any, c: Context) -> bool:
    return [audio.id for audio in c.domain.devices.audios].count(d.id) > 1


AUDIO_RULES = Rules(
    Rule(_is_repeated, "audio ID {d.id} is used multiple times", "number them", XmlError, From.DOMAIN),
    Rule(
        lambda d, c: not _has_spice(c),
        "Spice audio is not supported without spice graphics",
        "add <graphics type='spice'/>",
        about="type=spice",
    ),
)


__all__ = [
    "AUDIO_ID_RULE", "AUDIO_RULES", "CHARDEV_RULES", "HOSTDEV_RULES", "REDIRDEV_RULES", "SMARTCARD_RULES",
    "SOUND_RULES",
]  # fmt: skip
