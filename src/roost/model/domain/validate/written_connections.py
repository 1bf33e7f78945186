"""Rules about interfaces, character devices, host devices and sound as they were written."""

from __future__ import annotations

import re
from typing import Any

from roost.errors import ConfigUnsupported, From, InternalError, InvalidArg, XmlError
from roost.model.domain.device import CcidAddress, DriveAddress, PciAddress, Reconnect, UnassignedAddress, UsbAddress
from roost.model.domain.devices import Devices
from roost.model.domain.devices.chardev import (
    DbusChar,
    GuestfwdChannel,
    NmdmChar,
    SpiceportChar,
    TcpChar,
    UdpChar,
    UnixChar,
    VirtioChannel,
)
from roost.model.domain.devices.hostdev import (
    Hostdev,
    MdevHostdev,
    PciHostdev,
    ScsiHostdev,
    UsbHostdev,
)
from roost.model.domain.devices.interface import (
    BridgeNet,
    DirectNet,
    HostdevNet,
    Interface,
    InternalNet,
    NetworkNet,
    PciInterface,
    ServerNet,
    SocketNet,
    UdpNet,
    VdpaNet,
    VhostUserNet,
)
from roost.model.domain.devices.smartcard import CertificatesCard, PassthroughCard
from roost.model.domain.devices.sound import Audio, AudioDirection, OssAudio
from roost.model.shared.bandwidth import check_bandwidth
from roost.model.shared.ip import bits_of, version_of
from roost.model.shared.pci import check_pci_location
from roost.model.shared.virtualport import check_virtualport
from roost.model.shared.vlan import check_vlan

_NIC_MODEL = re.compile(r"[A-Za-z0-9_-]+\Z")
_CHANNEL_NAME = re.compile(r"[A-Za-z0-9_.-]*\Z")
#: The attribute that says where each kind of interface leads.
_LEADS_TO: dict[type, str] = {
    BridgeNet: "bridge",
    NetworkNet: "network",
    DirectNet: "dev",
    VdpaNet: "dev",
    InternalNet: "name",
}
#: The kinds of interface that may be ports of a switch; all but the first must say of which kind.
_SWITCHED = ("network", "bridge", "direct", "hostdev")
_PORT_NEEDS = {"802.1Qbg": ("managerid", "typeid", "typeidversion"), "802.1Qbh": ("profileid",),
               "midonet": ("interfaceid",)}  # fmt: skip
_CERTIFICATES = 3
_MAX_USB_CLASS = 0xFF


def check_connections_written(devices: Devices) -> None:
    """Raises for what libvirt refuses of these devices while it reads them."""
    for interface in devices.interfaces:
        _check_interface(interface)
    for smartcard in devices.smartcards:
        _check_smartcard(smartcard)
    for port in (*devices.serials, *devices.parallels, *devices.consoles):
        check_chardev(port.source)
    for channel in devices.channels:
        # A virtio channel may leave the path to the driver.
        check_chardev(channel.source, needs_path=not isinstance(channel.target, VirtioChannel))
        if isinstance(channel.target, GuestfwdChannel) and ":" in channel.target.address:
            raise ConfigUnsupported("guestfwd channel only supports IPv4 addresses", domain=From.DOMAIN)
    for audio in devices.audios:
        _check_audio(audio)
    _check_hostdevs(devices.hostdevs)
    for redirdev in devices.redirdevs:
        if not isinstance(redirdev.source, DbusChar):
            check_chardev(redirdev.source)
        if redirdev.address is not None and not isinstance(redirdev.address, UsbAddress):
            raise XmlError("Invalid address for a USB device", domain=From.DOMAIN, hint="type='usb'")
    for rule in devices.redirfilter.rules if devices.redirfilter is not None else ():
        if (rule.class_ or 0) > _MAX_USB_CLASS:
            raise InternalError(f"Invalid USB Class code 0x{rule.class_:x}", domain=From.DOMAIN, hint="at most 0xff")


# -- interfaces


def _check_interface(interface: Interface) -> None:
    _check_source(interface)
    _check_port(interface)
    check_bandwidth(interface.bandwidth, floor=interface.type == "network")
    check_vlan(interface.vlan)
    if interface.mac is not None and int(interface.mac[:2], 16) & 1:
        raise XmlError(
            f"expected unicast mac address, found multicast '{interface.mac}'",
            domain=From.DOMAIN,
            hint="the second digit must be even",
        )
    if interface.model is not None and not _NIC_MODEL.match(interface.model):
        raise InvalidArg("Model name contains invalid characters", domain=From.DOMAIN, hint="for instance virtio")
    for ip in (*interface.ips, *interface.source.host_ips):
        if (ip.prefix or 0) > bits_of(version_of(ip.address)):
            raise XmlError(f"Invalid prefix value '{ip.prefix}' in <ip>", domain=From.DOMAIN)
    rom = interface.rom
    if rom is not None and rom.enabled is False and (rom.bar is not None or rom.file is not None):
        raise ConfigUnsupported(
            "ROM tuning is not supported when ROM is disabled", domain=From.DOMAIN, hint="drop enabled='no'"
        )


def _check_source(interface: Interface) -> None:
    source = interface.source
    field = _LEADS_TO.get(type(source))
    bare = field is not None and not getattr(source, field)
    if isinstance(source, SocketNet):
        bare = source.port is None
    elif isinstance(source, VhostUserNet):
        _check_vhost_user(interface, source)
    elif isinstance(source, HostdevNet):
        _check_card(source)
    if bare:
        raise _no_source(interface)
    if isinstance(source, SocketNet) and source.address is None and not isinstance(source, ServerNet):
        raise _missing("address", "source")
    if isinstance(source, UdpNet) and source.local_address is None:
        raise XmlError("'<local>' element missing for 'udp' socket interface", domain=From.DOMAIN)


def _no_source(interface: Interface) -> XmlError:
    return XmlError(f"interface type='{interface.type}' requires a 'source' element", domain=From.DOMAIN)


def _missing(attribute: str, element: str) -> XmlError:
    return XmlError(f"Missing required attribute '{attribute}' in element '{element}'", domain=From.XML)


def _check_vhost_user(interface: Interface, source: VhostUserNet) -> None:
    if interface.backend is not None and interface.backend.type == "passt":
        return
    if source.socket_type is None and not source.path and source.mode is None:
        raise _no_source(interface)
    for attribute, value in (("type", source.socket_type), ("path", source.path), ("mode", source.mode)):
        if not value:
            raise _missing(attribute, "source")
    _check_reconnect(source.reconnect)


def _check_card(source: HostdevNet) -> None:
    if source.device is None and source.vendor is None:
        raise XmlError("missing source address type", domain=From.DOMAIN, hint="<address type='pci' .../>")
    if isinstance(source.device, PciInterface):
        check_pci_location(source.device)


def _check_port(interface: Interface) -> None:
    port = interface.virtualport
    if port is None:
        return
    if interface.type not in _SWITCHED:
        raise ConfigUnsupported(
            f"<virtualport> element unsupported for <interface type='{interface.type}'>",
            domain=From.DOMAIN,
            hint="it is for type " + ", ".join(_SWITCHED),
        )
    check_virtualport(port, needs_type=interface.type != "network")
    if interface.type != "network":
        for name in _PORT_NEEDS.get(port.type or "", ()):
            if getattr(port.parameters, name, None) in (None, ""):
                raise XmlError(f"missing {name} in <virtualport type='{port.type}'>", domain=From.NET)


# -- character devices


def check_chardev(source: Any, *, needs_path: bool = True) -> None:
    """Raises for what a host's end lacks. needs_path: of a unix socket."""
    missing = None
    if isinstance(source, TcpChar):
        missing = "host" if source.host is None else "service" if source.service is None else None
        _check_reconnect(source.reconnect)
        _check_direction(source)
    elif isinstance(source, UdpChar):
        missing = None if any(e.mode == "connect" and e.service for e in source.ends) else "service"
    elif isinstance(source, UnixChar):
        missing = "path" if source.path is None and needs_path else None
        _check_reconnect(source.reconnect)
        _check_direction(source)
    elif isinstance(source, NmdmChar) and (source.master is None) != (source.slave is None):
        raise InternalError("Should define both master and slave path attributes for nmdm device", domain=From.DOMAIN)
    elif isinstance(source, SpiceportChar | DbusChar):
        _check_channel(source.channel)
    if missing is not None:
        raise InternalError(f"Missing source {missing} attribute for char device", domain=From.DOMAIN)


def _check_reconnect(reconnect: Reconnect | None) -> None:
    if reconnect is not None and reconnect.enabled and reconnect.timeout is None:
        raise _missing("timeout", "reconnect")


def _check_direction(source: UnixChar | TcpChar) -> None:
    if source.reconnect is not None and source.reconnect.enabled and source.mode != "connect":
        raise InternalError("chardev reconnect is possible only for connect mode", domain=From.DOMAIN)


def _check_channel(name: str | None) -> None:
    if not name:
        raise ConfigUnsupported("Missing source channel attribute for char device", domain=From.DOMAIN)
    if not _CHANNEL_NAME.match(name):
        raise InvalidArg(
            "Invalid character in source channel for char device",
            domain=From.DOMAIN,
            hint="letters, digits, and any of ._-",
        )


def _check_smartcard(smartcard: Any) -> None:
    card = smartcard.card
    if isinstance(card, CertificatesCard):
        if len(card.certificates) != _CERTIFICATES:
            raise XmlError("host-certificates mode needs exactly three certificates", domain=From.DOMAIN)
        if card.database is not None and not card.database.startswith("/"):
            raise XmlError(f"expecting absolute path: {card.database}", domain=From.DOMAIN)
    elif isinstance(card, PassthroughCard):
        check_chardev(card.source)
    if smartcard.address is not None and not isinstance(smartcard.address, CcidAddress):
        raise ConfigUnsupported("Controllers must use the 'ccid' address type", domain=From.DOMAIN)


# -- sound


def _check_audio(audio: Audio) -> None:
    backend = audio.backend
    for direction in (backend.input, backend.output):
        _check_settings(direction)
    if isinstance(backend, OssAudio) and (backend.dsp_policy or 0) < 0:
        raise XmlError(f"cannot parse 'dspPolicy' value '{backend.dsp_policy}'", domain=From.DOMAIN)


def _check_settings(direction: AudioDirection | None) -> None:
    if direction is None:
        return
    if direction.fixed_settings and not direction.mixing_engine:
        raise ConfigUnsupported("fixed audio settings requires mixing engine", domain=From.DOMAIN)
    if direction.settings is not None and not direction.fixed_settings:
        raise ConfigUnsupported("audio settings specified without fixed settings flag", domain=From.DOMAIN)


# -- host devices


def _check_hostdevs(hostdevs: tuple[Hostdev, ...]) -> None:
    seen: list[Any] = []
    for hostdev in hostdevs:
        source = hostdev.source
        kinds = ("storage", "misc", "net") if hostdev.mode == "capabilities" else _SUBSYSTEMS
        if hostdev.type not in kinds:
            raise ConfigUnsupported(
                f"unknown host device source address type '{hostdev.type}'",
                domain=From.DOMAIN,
                hint="one of " + ", ".join(kinds),
            )
        check = _BY_KIND.get(type(source))
        if check is not None:
            check(hostdev, source)
        key = _identity(source)
        if key is not None and key in seen:
            raise XmlError("Hostdev already exists in the domain configuration", domain=From.DOMAIN)
        seen.append(key)


_SUBSYSTEMS = ("usb", "pci", "scsi", "scsi_host", "mdev")


def _identity(source: Any) -> Any:
    """What makes two host devices the same one; None where that is not told."""
    if isinstance(source, UsbHostdev):
        return ("usb", source.location or (source.vendor, source.product))
    if isinstance(source, PciHostdev):
        return ("pci", source.location)
    if isinstance(source, MdevHostdev):
        return ("mdev", source.uuid)
    return None


def _check_usb(hostdev: Hostdev, source: UsbHostdev) -> None:
    if source.vendor == 0:
        raise XmlError("Invalid value for attribute 'id' in element 'vendor': Zero is not permitted", domain=From.XML)
    if (source.vendor is None) != (source.product is None):
        lacking = "vendor" if source.vendor is None else "product"
        raise InternalError(f"missing {lacking}", domain=From.DOMAIN, hint=f"<{lacking} id='0x1234'/>")
    if hostdev.address is not None and not isinstance(hostdev.address, UsbAddress):
        raise ConfigUnsupported("USB host device must use 'usb' address type", domain=From.DOMAIN)


def _check_pci(hostdev: Hostdev, source: PciHostdev) -> None:
    if source.location is None:
        raise XmlError("Missing <source> element in hostdev device", domain=From.DOMAIN, hint="with an <address> in it")
    check_pci_location(source.location)
    if hostdev.address is not None and not isinstance(hostdev.address, PciAddress | UnassignedAddress):
        raise InternalError("PCI host devices must use 'pci' or 'unassigned' address type", domain=From.DOMAIN)


def _check_scsi(hostdev: Hostdev, source: ScsiHostdev) -> None:
    if source.protocol == "iscsi":
        _check_iscsi(source)
    elif source.bus is None or source.target is None or source.unit is None:
        raise XmlError("'address' must be specified for scsi hostdev source", domain=From.DOMAIN)
    elif source.adapter is None:
        raise XmlError("'adapter' name must be specified for scsi hostdev source", domain=From.DOMAIN)
    if hostdev.address is not None and not isinstance(hostdev.address, DriveAddress):
        raise ConfigUnsupported("SCSI host device must use 'drive' address type", domain=From.DOMAIN)
    if source.sgio == "unfiltered":
        raise ConfigUnsupported("unfiltered sgio is no longer supported", domain=From.DOMAIN)


def _check_iscsi(source: ScsiHostdev) -> None:
    if source.name is None:
        raise XmlError("missing iSCSI hostdev source path name", domain=From.DOMAIN)
    if source.host is None:
        raise XmlError("missing the host address for the iSCSI hostdev", domain=From.DOMAIN)
    kind = source.auth.secret.type if source.auth is not None and source.auth.secret is not None else None
    if kind not in (None, "iscsi"):
        raise InternalError(f"hostdev invalid secret type '{kind}'", domain=From.DOMAIN, hint="type='iscsi'")


def _check_mdev(hostdev: Hostdev, source: MdevHostdev) -> None:
    if source.uuid is None:
        raise ConfigUnsupported("Missing <address> element", domain=From.DOMAIN, hint="<address uuid='...'/>")
    kind = None if hostdev.address is None else str(type(hostdev.address).__struct_config__.tag)
    if kind is not None and kind != {"vfio-pci": "pci", "vfio-ccw": "ccw"}.get(source.model, kind):
        raise XmlError(
            f"Unsupported address type '{kind}' with mediated device model '{source.model}'", domain=From.DOMAIN
        )


_BY_KIND: dict[type, Any] = {
    UsbHostdev: _check_usb,
    PciHostdev: _check_pci,
    ScsiHostdev: _check_scsi,
    MdevHostdev: _check_mdev,
}


__all__ = ["check_chardev", "check_connections_written"]
