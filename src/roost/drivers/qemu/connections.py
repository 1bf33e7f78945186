"""What connects a guest's interfaces with the host's networks, and devices of the host that the guest is given.

What outlives the guest by itself is listed in `Link`s, which are on disk with
the guest's status before any of it is made; taps go with their descriptors.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

import msgspec
from msgspec.structs import replace

from roost.contract.lookups import Lookups
from roost.drivers.qemu import plan
from roost.errors import ConfigUnsupported, DeviceMissing, From, InternalError, OperationFailed, SystemCallError
from roost.host.api import Host, Rate, SwitchPort, Tap
from roost.model.domain import Domain
from roost.model.domain.devices.graphics import AddressListen, NetworkListen, SpiceGraphics
from roost.model.domain.devices.hostdev import UsbHostdev, UsbLocation
from roost.model.domain.devices.interface import NetworkNet
from roost.model.shared.bandwidth import Rate as WrittenRate

_SCRIPT_TIMEOUT = 60.0
_NO_VIRTUAL_SWITCH = frozenset(("802.1Qbg", "802.1Qbh", "midonet"))


class Link(msgspec.Struct, frozen=True, omit_defaults=True):
    """An interface of the host that is undone when the guest ends.

    kind: macvtap, or openvswitch for a port of one; "" for a tap with a script to run. mac: its address, by which it
    is known again. below, below_mac: an interface of the host whose address is put back.
    """

    name: str
    kind: str = ""
    mac: str = ""
    downscript: str = ""
    below: str = ""
    below_mac: str = ""


def links(host: Host, taps: tuple[plan.Tap, ...]) -> tuple[dict[str, str], tuple[Link, ...]]:
    """Names for the interfaces that need one before they are made, by key, and what is to be undone.

    Raises ConfigUnsupported for switches that this driver does not know.
    """
    names: dict[str, str] = {}
    found: list[Link] = []
    for tap in taps:
        port = tap.switch.port
        kind = "macvtap" if tap.link is not None else ""
        if port is not None and port.type is not None and tap.bridge is not None:
            if port.type in _NO_VIRTUAL_SWITCH:
                raise ConfigUnsupported(
                    f"virtualport type '{port.type}' is not supported by this driver", domain=From.QEMU
                )
            kind = port.type
        if not kind and not tap.downscript:
            continue
        names[tap.key] = name = tap.name or host.network.free_name("macvtap" if tap.link is not None else "vnet")
        below = tap.link if tap.mode == "passthrough" and tap.link is not None else ""
        found.append(
            Link(
                name=name,
                kind=kind,
                mac=tap.mac,
                downscript=_script(tap.downscript),
                below=below,
                below_mac=host.network.address(below) if below else "",
            )
        )
    return names, tuple(found)


def _script(path: str | None) -> str:
    return path if path not in (None, "no") else ""


def make(host: Host, tap: plan.Tap, name: str, guest: str) -> Tap:
    """The host's end of an interface. name: "" for any. guest: its UUID."""
    network = host.network
    if tap.link is not None:
        if tap.mode == "passthrough":
            network.set_address(tap.link, tap.mac)
        made = network.macvtap(
            name, mac=tap.mac, link=tap.link, mode=tap.mode, mtu=tap.mtu, queues=tap.queues, headers=tap.vnet_hdr
        )
    else:
        made = network.tap(
            name,
            mac=tap.mac,
            bridge=None if _is_switched(tap) else tap.bridge,
            mtu=tap.mtu,
            queues=tap.queues,
            headers=tap.vnet_hdr,
            managed=tap.managed,
            device=tap.device,
        )
    try:
        _set_up(host, tap, made.name, guest)
    except BaseException:
        for descriptor in made.descriptors:
            os.close(descriptor)
        raise
    return made


def _is_switched(tap: plan.Tap) -> bool:
    """Whether it is a port of Open vSwitch."""
    return tap.bridge is not None and tap.switch.port is not None and tap.switch.port.type == "openvswitch"


def _set_up(host: Host, tap: plan.Tap, name: str, guest: str) -> None:
    network, switch = host.network, tap.switch
    if _is_switched(tap):
        network.plug(name, tap.bridge or "", _port(tap, guest))
    elif switch.vlan is not None and tap.link is None:
        raise ConfigUnsupported(
            f"an interface connecting to bridge '{tap.bridge}' is requesting a vlan tag, but that is not supported "
            "for this type of connection",
            domain=From.DOMAIN,
            hint="<virtualport type='openvswitch'/> has VLANs",
        )
    if switch.isolated:
        network.isolate(name)
    if switch.coalesce:
        network.coalesce(name, switch.coalesce)
    if switch.bandwidth is not None:
        # What the guest sends is what the host receives of its interface.
        sent, received = _rate(switch.bandwidth.inbound), _rate(switch.bandwidth.outbound)
        if tap.link is not None:
            # A macvtap carries both as its guest sees them.
            sent, received = received, sent
        if _is_switched(tap):
            network.shape_port(name, guest, sent=sent, received=received)
        else:
            network.shape(name, sent=sent, received=received)
    script = _script(tap.script)
    if script:
        _run_script(script, name)


def _rate(rate: WrittenRate | None) -> Rate | None:
    return None if rate is None else Rate(rate.average or 0, rate.peak or 0, rate.burst or 0)


def _port(tap: plan.Tap, guest: str) -> SwitchPort:
    port, vlan = tap.switch.port, tap.switch.vlan
    parameters = port.parameters if port is not None else None
    native = next((tag for tag in vlan.tags if tag.native_mode is not None), None) if vlan is not None else None
    return SwitchPort(
        mac=tap.mac,
        guest=guest,
        interface_id=(parameters.interfaceid if parameters is not None else None) or "",
        profile=(parameters.profileid if parameters is not None else None) or "",
        tags=tuple(tag.id for tag in vlan.tags) if vlan is not None else (),
        trunk=vlan is not None and vlan.trunk == "yes",
        native_tag=native.id if native is not None else None,
        native_mode=(native.native_mode if native is not None else None) or "",
    )


def _run_script(script: str, name: str) -> None:
    """Run one with the interface's name. Raises InternalError with its own words."""
    try:
        done = subprocess.run([script, name], capture_output=True, text=True, timeout=_SCRIPT_TIMEOUT, check=False)
    except OSError as error:
        raise InternalError(f"Failed to execute {script}: {error.strerror}", domain=From.QEMU) from error
    except subprocess.TimeoutExpired as error:
        raise InternalError(f"{script} did not end within {_SCRIPT_TIMEOUT:.0f} seconds", domain=From.QEMU) from error
    if done.returncode:
        raise InternalError(
            f"Child process ({script} {name}) unexpected exit status {done.returncode}: {done.stderr.strip()}",
            domain=From.QEMU,
        )


def undo(host: Host, made: tuple[Link, ...]) -> None:
    """Undo what outlives the guest; what is gone already does no harm."""
    for link in made:
        if link.downscript:
            with contextlib.suppress(InternalError):
                _run_script(link.downscript, link.name)
        if link.kind == "macvtap":
            host.network.remove_macvtap(link.name, link.mac)
        elif link.kind:
            host.network.unplug(link.name)
        if link.below:
            with contextlib.suppress(InternalError):
                host.network.set_address(link.below, link.below_mac)


async def with_networks(document: Domain, lookups: Lookups) -> Domain:
    """The document with the bridge of each network that an interface is connected to.

    Raises NoNetwork, and InternalError for a filter that is not there.
    """
    for interface in document.devices.interfaces:
        if interface.filterref is not None:
            await lookups.filters.require(interface.filterref.filter)
    changed = {
        place: await lookups.networks.bridge(interface.source.network, interface.source.portgroup)
        for place, interface in enumerate(document.devices.interfaces)
        if isinstance(interface.source, NetworkNet)
    }
    if not changed:
        return document
    interfaces = tuple(
        replace(interface, source=replace(interface.source, bridge=changed[place])) if place in changed else interface
        for place, interface in enumerate(document.devices.interfaces)
    )
    return replace(document, devices=replace(document.devices, interfaces=interfaces))


# -- displays --------------------------------------------------------------------------------------


def check_displays(document: Domain, *, spice_tls: bool) -> None:
    """Raises ConfigUnsupported for a SPICE display with a TLS port where the host's settings have no TLS."""
    for graphics in document.devices.graphics:
        if not isinstance(graphics, SpiceGraphics) or spice_tls or not (graphics.tls_port or 0) > 0:
            continue
        if graphics.listens and isinstance(graphics.listens[0], AddressListen | NetworkListen):
            raise ConfigUnsupported(
                "spice TLS port set in XML configuration, but TLS is disabled in qemu.conf",
                domain=From.QEMU,
                hint="set spice_tls = 1 there, and put certificates into spice_tls_x509_cert_dir",
            )


# -- USB -------------------------------------------------------------------------------------------


def with_usb_devices(document: Domain) -> Domain:
    """The document with the place of each USB device of the host that is handed over.

    One that may be missing and is, is marked so. Raises InternalError for others, OperationFailed where several fit.
    """
    if not any(isinstance(hostdev.source, UsbHostdev) for hostdev in document.devices.hostdevs):
        return document
    there = _usb_devices()
    hostdevs = tuple(
        replace(hostdev, source=_placed(hostdev.source, there)) if isinstance(hostdev.source, UsbHostdev) else hostdev
        for hostdev in document.devices.hostdevs
    )
    return replace(document, devices=replace(document.devices, hostdevs=hostdevs))


def _usb_devices() -> dict[UsbLocation, tuple[int, int]]:
    """Vendor and product of what is plugged in, by place."""
    found = {}
    for device in Path("/sys/bus/usb/devices").glob("*/idVendor"):
        base = device.parent
        with contextlib.suppress(OSError, ValueError):
            place = UsbLocation(bus=int((base / "busnum").read_text()), device=int((base / "devnum").read_text()))
            found[place] = (int(device.read_text(), 16), int((base / "idProduct").read_text(), 16))
    return found


def _placed(source: UsbHostdev, there: dict[UsbLocation, tuple[int, int]]) -> UsbHostdev:
    wanted = (source.vendor, source.product)
    fitting = [place for place, ids in there.items() if source.vendor is None or ids == wanted]
    if source.location is not None:
        fitting = [place for place in fitting if place == source.location]
    if len(fitting) > 1 and source.location is None:
        raise OperationFailed(
            f"Multiple USB devices for {source.vendor:x}:{source.product:x}, use <address> to specify one",
            domain=From.QEMU,
        )
    if fitting and (source.location is not None or source.vendor is not None):
        return replace(source, location=fitting[0])
    if source.startup_policy == "optional":
        return replace(source, missing=True)
    if source.location is None and source.vendor is None:
        raise InternalError(
            "USB host device is missing bus/device information",
            domain=From.QEMU,
            hint="give <vendor> and <product>, or <address bus='1' device='2'/>",
        )
    where = f"bus:{source.location.bus} device:{source.location.device}" if source.location is not None else ""
    name = f"{source.vendor:x}:{source.product:x}" if source.vendor is not None else ""
    raise InternalError(
        f"Did not find USB device {' '.join(filter(None, (name, where)))}",
        domain=From.QEMU,
        hint="see lsusb; with startupPolicy='optional' the guest starts without it",
    )


# -- devices of the host -----------------------------------------------------------------------


_VFIO = "/dev/vfio/vfio"
#: Where the kernel links to the group of devices that are given away together.
_IOMMU_GROUPS = {
    "pci": "/sys/bus/pci/devices/{}/iommu_group",
    "mdev": "/sys/bus/mdev/devices/{}/iommu_group",
}


def check_device(device: plan.HostDevice) -> None:
    """Raises for a device that cannot be handed over as things are, saying what is missing."""
    check = {"pci": _check_pci, "mdev": _check_mdev}.get(device.kind)
    if check is not None:
        check(device)


def _check_pci(device: plan.HostDevice) -> None:
    if not os.path.exists(_VFIO) or not os.listdir("/sys/kernel/iommu_groups"):
        raise ConfigUnsupported(
            "host doesn't support passthrough of host PCI devices",
            domain=From.QEMU,
            hint="switch the IOMMU on (intel_iommu=on or amd_iommu=on), and load vfio-pci",
        )
    base = f"/sys/bus/pci/devices/{device.name}"
    if not os.path.exists(base):
        raise InternalError(
            f"Device {device.name} not found: could not access {base}/config: No such file or directory",
            domain=From.QEMU,
        )
    driver = os.path.basename(os.path.realpath(f"{base}/driver"))
    if driver != "vfio-pci":
        raise ConfigUnsupported(
            f"PCI device {device.name} is not assignable: it is bound to driver '{driver}'",
            domain=From.QEMU,
            hint=f"bind it to vfio-pci: driverctl set-override {device.name} vfio-pci",
        )


def _check_mdev(device: plan.HostDevice) -> None:
    if not os.path.exists(f"/sys/bus/mdev/devices/{device.name}"):
        raise DeviceMissing(
            f"mediated device '{device.name}' not found", domain=From.QEMU, hint="create it, for instance by mdevctl"
        )


def device_paths(device: plan.HostDevice) -> tuple[str, ...]:
    """The nodes by which QEMU reaches a device; () for one that is not there."""
    if device.kind == "scsi":
        try:
            return (scsi_generic(device),)
        except SystemCallError:
            return ()
    place = _IOMMU_GROUPS.get(device.kind)
    if place is None:
        return ()
    try:
        return _VFIO, f"/dev/vfio/{os.path.basename(os.readlink(place.format(device.name)))}"
    except OSError:
        return ()


def scsi_generic(device: plan.HostDevice) -> str:
    """The node of a SCSI device. Raises SystemCallError."""
    directory = f"/sys/bus/scsi/devices/{device.name}/scsi_generic"
    try:
        return f"/dev/{os.listdir(directory)[0]}"
    except (OSError, IndexError) as error:
        number = getattr(error, "errno", None) or 2
        text = f"cannot open directory '{directory}': {os.strerror(number)}"
        raise SystemCallError(text, domain=From.QEMU, int1=number, str2=text, hint="see lsscsi -g") from error


def open_device(need: plan.Opened) -> int:
    """A descriptor of a device node. Raises SystemCallError."""
    try:
        return os.open(need.path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        text = f"{need.complaint}: {error.strerror}"
        raise SystemCallError(text, domain=From.QEMU, int1=error.errno or 0, str2=text) from error


__all__ = [
    "Link",
    "check_device",
    "check_displays",
    "device_paths",
    "links",
    "make",
    "open_device",
    "scsi_generic",
    "undo",
    "with_networks",
    "with_usb_devices",
]
