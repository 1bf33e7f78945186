"""Rules about a document as it was written, before anything is added to it."""

from __future__ import annotations

from datetime import datetime
from operator import attrgetter
from typing import Any

from roost.errors import ConfigUnsupported, From, InternalError, XmlDetail, XmlError
from roost.model.domain.devices import Devices
from roost.model.domain.devices.graphics import AddressListen, AnyGraphics, VncGraphics
from roost.model.domain.domain import Domain
from roost.model.domain.validate.resources import check_resources_written
from roost.model.domain.validate.written_connections import check_connections_written
from roost.model.domain.validate.written_storage import check_storage_written

_COMPANIONS = frozenset(("ich9-uhci1", "ich9-uhci2", "ich9-uhci3"))
_USB_MODELS = frozenset(
    (
        "piix3-uhci", "piix4-uhci", "ehci", "ich9-ehci1", "ich9-uhci1", "ich9-uhci2", "ich9-uhci3", "vt82c686b-uhci",
        "pci-ohci", "nec-xhci", "qusb1", "qusb2", "qemu-xhci", "none",
    )
)  # fmt: skip
_SCSI_MODELS = frozenset(
    (
        "auto", "buslogic", "lsilogic", "lsisas1068", "vmpvscsi", "ibmvscsi", "virtio-scsi", "lsisas1078",
        "virtio-transitional", "virtio-non-transitional", "ncr53c90", "dc390", "am53c974",
    )
)  # fmt: skip
_IDE_MODELS = frozenset(("piix3", "piix4", "ich6"))
_SERIAL_MODELS = frozenset(("virtio", "virtio-transitional", "virtio-non-transitional"))
_PCI_MODELS = frozenset(
    (
        "pci-root", "pcie-root", "pci-bridge", "dmi-to-pci-bridge", "pcie-to-pci-bridge", "pcie-root-port",
        "pcie-switch-upstream-port", "pcie-switch-downstream-port", "pci-expander-bus", "pcie-expander-bus",
    )
)  # fmt: skip
_MODELS = {
    "usb": _USB_MODELS, "scsi": _SCSI_MODELS, "ide": _IDE_MODELS, "virtio-serial": _SERIAL_MODELS, "pci": _PCI_MODELS,
    **dict.fromkeys(("fdc", "sata", "ccid", "isa", "xenbus", "nvme"), frozenset()),
}  # fmt: skip
#: The fields that list devices.
_LISTS = tuple(field for field in Devices.__struct_fields__ if getattr(Devices(), field) == ())
_listed = attrgetter(*_LISTS)
_MAX_DEVICES = 1024
_MAX_PCI_INDEX = 255
_MAX_REBOOT_TIMEOUT = 65535
#: Characters, of which the protocol knows no more.
_VNC_PASSWORD = 8


def check_written(domain: Domain) -> None:
    """Raises for what libvirt refuses while it reads a document."""
    _check_sizes(domain)
    _check_text(domain)
    check_resources_written(domain)
    _check_os(domain)
    _check_clock(domain)
    check_storage_written(domain)
    _check_controllers(domain)
    check_connections_written(domain.devices)
    _check_displays(domain)
    _check_inputs(domain)


def _check_sizes(domain: Domain) -> None:
    """Addresses are found by looking through what is there: bounded, so that no document takes long."""
    for field, listed in zip(_LISTS, _listed(domain.devices), strict=True):
        if len(listed) > _MAX_DEVICES:
            raise ConfigUnsupported(
                f"too many devices: {len(listed)} in '{field}'", domain=From.DOMAIN, hint=f"at most {_MAX_DEVICES}"
            )
    for controller in domain.devices.controllers:
        if controller.type == "pci" and (controller.index or 0) > _MAX_PCI_INDEX:
            raise InternalError(
                f"a PCI slot is needed to connect a PCI controller model='{controller.model}', but none is available, "
                "and it cannot be automatically added",
                domain=From.DOMAIN,
                hint=f"the highest index is {_MAX_PCI_INDEX}",
            )


def _check_text(domain: Domain) -> None:
    if "\n" in domain.name:
        raise XmlDetail("invalid char in name: \n", domain=From.XML, hint="a name is one line")
    if "/" in domain.name:
        raise XmlError(f"name {domain.name} cannot contain '/'", domain=From.DOMAIN)
    if domain.title and "\n" in domain.title:
        raise XmlError("Domain title can't contain newlines", domain=From.DOMAIN, hint="a <description> may")


def _check_os(domain: Domain) -> None:
    timeout = domain.os.bios_reboot_timeout
    if timeout is not None and not -1 <= timeout <= _MAX_REBOOT_TIMEOUT:
        raise ConfigUnsupported("invalid value for rebootTimeout, must be in range [-1,65535]", domain=From.DOMAIN)


def _check_clock(domain: Domain) -> None:
    clock = domain.clock
    if clock is None:
        return
    if clock.offset == "timezone" and clock.timezone is None:
        raise InternalError("missing 'timezone' attribute for clock with offset='timezone'", domain=From.DOMAIN)
    if clock.offset == "absolute" and clock.start is None:
        raise InternalError("missing 'start' attribute for clock with offset='absolute'", domain=From.DOMAIN)
    for timer in clock.timers:
        _check_timer(timer)


def _check_timer(timer: Any) -> None:
    setting = None
    if timer.name in ("kvmclock", "hypervclock") and timer.tickpolicy is not None:
        setting = "tickpolicy"
    elif timer.tickpolicy != "catchup" and timer.catchup is not None:
        raise XmlError(
            "setting of timer catchup policies is only supported with tickpolicy='catchup'", domain=From.DOMAIN
        )
    elif timer.name != "tsc" and timer.frequency:
        setting = "frequency"
    elif timer.name != "tsc" and timer.mode is not None:
        setting = "mode"
    elif timer.name not in ("platform", "rtc") and timer.track is not None:
        setting = "track"
    if setting is not None:
        raise ConfigUnsupported(f"timer {timer.name} doesn't support setting of timer {setting}", domain=From.DOMAIN)


def _check_controllers(domain: Domain) -> None:
    usb = [c for c in domain.devices.controllers if c.type == "usb"]
    for controller in domain.devices.controllers:
        if controller.model is not None and controller.model not in (known := _MODELS[controller.type]):
            raise ConfigUnsupported(
                f"Unknown model type '{controller.model}'",
                domain=From.DOMAIN,
                hint=f"a {controller.type} controller is one of {', '.join(sorted(known))}"
                if known
                else "leave it out",
            )
    if any(c.model == "none" for c in usb) and len(usb) > 1:
        raise XmlDetail("Can't add another USB controller: USB is disabled for this domain", domain=From.DOMAIN)
    companions = [c for c in usb if c.master_startport is not None or c.model in _COMPANIONS]
    if companions and len(companions) == len(usb):
        raise XmlDetail("No master USB controller specified", domain=From.DOMAIN, hint="add one of model='ich9-ehci1'")


def _check_displays(domain: Domain) -> None:
    for graphics in domain.devices.graphics:
        _check_password(graphics)
        listen, listens = getattr(graphics, "listen", None), getattr(graphics, "listens", ())
        first = listens[0] if listens else None
        if listen and isinstance(first, AddressListen) and first.address and first.address != listen:
            raise ConfigUnsupported(
                f"graphics 'listen' attribute '{listen}' must match 'address' attribute of first listen element "
                f"(found '{first.address}')",
                domain=From.DOMAIN,
            )
    if sum(1 for video in domain.devices.videos if video.model is not None and video.model.primary) > 1:
        raise ConfigUnsupported("Only one primary video device is supported", domain=From.DOMAIN)


def _check_password(graphics: AnyGraphics) -> None:
    until = getattr(graphics, "passwd_valid_to", None)
    if until is not None:
        try:
            datetime.strptime(until, "%Y-%m-%dT%H:%M:%S")
        except ValueError:
            raise InternalError(
                f"cannot parse password validity time '{until}', expect YYYY-MM-DDTHH:MM:SS", domain=From.DOMAIN
            ) from None
    if isinstance(graphics, VncGraphics) and len(graphics.passwd or "") > _VNC_PASSWORD:
        raise ConfigUnsupported(
            f"VNC password is {len(graphics.passwd or '')} characters long, only {_VNC_PASSWORD} permitted",
            domain=From.QEMU,
        )
    if isinstance(graphics, VncGraphics) and graphics.connected not in (None, "keep"):
        raise ConfigUnsupported("VNC supports connected='keep' only", domain=From.DOMAIN)


def _check_inputs(domain: Domain) -> None:
    for device in domain.devices.inputs:
        if device.type == "evdev" and device.source is not None and device.source.dev is None:
            raise XmlError(
                "Missing evdev path for input device", domain=From.DOMAIN, hint="<source dev='/dev/input/event1'/>"
            )
    if any(c.type == "usb" and c.model == "none" for c in domain.devices.controllers):
        for device in domain.devices.inputs:
            if device.bus == "usb" or (device.bus is None and device.type not in ("mouse", "keyboard", "evdev")):
                raise ConfigUnsupported("Can't add USB input device. USB bus is disabled", domain=From.DOMAIN)


__all__ = ["check_written"]
