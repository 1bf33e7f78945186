"""Command lines compared by meaning with libvirtd's own: the same devices, names, places, properties and order.

libvirtd's `domxml-to-native` takes the same documents. Where it differs, a
table says how and why; a difference that is not listed fails, and so does a
listed one that no longer exists.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from roost.drivers.qemu import plan
from roost.model.domain import parse
from roost.model.domain.aliases import assign_aliases
from roost.model.domain.complete import complete
from support import machines, native, plans
from support.peer import Peer, virsh

pytestmark = pytest.mark.peer

#: Documents libvirtd does not translate on this host, and why.
NOT_COMPARED = {
    "kvm": "libvirtd offers no KVM here",
    "acpi-tables": "libvirt 9.0 takes one table, of type slic",
    "firmware-secure": "libvirt 9.0 knows no format of flash images but raw",
    "iommu-intel": "libvirt 9.0 knows no dma_translation",
    "platform": "libvirt 9.0 knows no crypto devices, pstores, pvpanic on PCI and iTCO watchdogs",
}


#: By document: what libvirtd has, what we have in its place, and why.
DIFFERENT: dict[str, tuple[tuple[str, str, str], ...]] = {
    "cpu": (
        (
            "-cpu Nehalem,vendor=GenuineIntel,lahf-lm=on,pclmulqdq=off,vmx=on,x2apic=off,aes=on,kvm-pv-eoi=on,pmu=off",
            "-cpu Nehalem,vendor=GenuineIntel,lahf-lm=on,pclmulqdq=off,vmx=on,x2apic=off,kvm-pv-eoi=on,pmu=off",
            "the document says whether an optional feature is on once the model has been compared with the host",
        ),
    ),
    "disk-block": (
        (
            '-blockdev {"auto-read-only": true, "discard": "unmap", "driver": "host_device", "filename": "/dev/sr0", '
            '"node-name": "libvirt-1-storage"}',
            '-blockdev {"auto-read-only": true, "discard": "unmap", "driver": "host_cdrom", "filename": "/dev/sr0", '
            '"node-name": "libvirt-1-storage"}',
            "libvirtd looks at the host, where this drive is missing; with one it says host_cdrom too",
        ),
    ),
    "sysinfo": (
        (
            "-fw_cfg name=opt/com.example/name,string=value,x",
            "-fw_cfg name=opt/com.example/name,string=value,,x",
            "QEMU refuses what libvirtd writes for a value with a comma",
        ),
    ),
}


@pytest.mark.parametrize("name", [name for name in plans.names() if name not in NOT_COMPARED])
def test_same_command_line(name: str, peer: Peer) -> None:
    answer = virsh(peer.uri, "domxml-to-native", "qemu-argv", "--xml", str(plans.GOLDEN / f"{name}.xml"))
    assert answer.ok, answer.stderr
    theirs, ours = native.comparable(native.words_of(answer.stdout)), native.comparable(plans.translate(name))
    for libvirt, roost, _ in DIFFERENT.get(name, ()):
        assert libvirt in theirs
        assert roost in ours
        theirs[theirs.index(libvirt)] = roost
    assert sorted(ours) == sorted(theirs)
    # What sits on a bus comes after it, in whatever order libvirt chose: guests enumerate by it.
    assert native.devices_in_order(ours) == native.devices_in_order(theirs)


@pytest.mark.parametrize("name", plans.written_names())
def test_same_command_line_for_what_users_write(name: str, peer: Peer) -> None:
    document = plans.WRITTEN / f"{name}.xml"
    facts = machines.facts()
    live = assign_aliases(complete(parse(document.read_bytes()), facts))
    ours = native.comparable(plan.argv(live, machines.capabilities(), plan.Grants()).argv)
    answer = virsh(peer.uri, "domxml-to-native", "qemu-argv", "--xml", str(document))
    assert answer.ok, answer.stderr
    theirs = native.comparable(native.words_of(answer.stdout))
    for libvirt, roost, _ in DIFFERENT.get(name, ()):
        theirs[theirs.index(libvirt)] = roost
    assert sorted(ours) == sorted(theirs)


RUNNING = """
<domain type='qemu'>
  <name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices>
    {interfaces}
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
  </devices>
</domain>
"""


def test_same_interfaces_as_a_running_guest(peer: Peer) -> None:
    source = (plans.GOLDEN / "interfaces.xml").read_text()
    interfaces = re.sub(r"<address type=.*?/>", "", "".join(re.findall(r"<interface .*?</interface>", source, re.S)))
    name = f"plan-running-{os.getpid()}"
    document = peer.root / "running.xml"
    document.write_text(RUNNING.format(name=name, interfaces=interfaces))
    answer = virsh(peer.uri, "create", str(document), "--paused")
    assert answer.ok, answer.stderr
    try:
        theirs = [
            option
            for option in native.options(command_line(f"guest={name},".encode())[1:])
            if native.is_interface(option)
        ]
    finally:
        virsh(peer.uri, "destroy", name)
    ours = [option for option in native.options(plans.translate("interfaces")[1:]) if native.is_interface(option)]
    assert [without_place(option) for option in ours] == [without_place(option) for option in theirs]


def without_place(option: native.Option) -> tuple[str, dict[str, object]]:
    """The properties of an interface, but not its PCI slot: the two documents have different other devices."""
    properties = json.loads(option[1])
    return option[0], {key: value for key, value in properties.items() if key not in ("bus", "addr")}


def command_line(mark: bytes) -> list[str]:
    """The words of the one process whose command line has `mark`."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if any(mark in word for word in words) and b"qemu-system" in words[0]:
            return [word.decode() for word in words[:-1]]
    raise AssertionError(f"no process with {mark.decode()}")
