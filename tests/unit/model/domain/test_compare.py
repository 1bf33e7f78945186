"""What a guest would notice of another document, and what it would not."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

import msgspec
import pytest

from roost.errors import ConfigUnsupported
from roost.model.domain import Domain, parse
from roost.model.domain.compare import compare_abi
from roost.model.domain.complete import complete
from support import machines
from support.peer import Peer, libvirt_result

FACTS = machines.facts()
UUID = "6c4ce3c0-44fb-4de0-9b51-1b2e9cfa3e8f"

DOCUMENT = f"""<domain type='qemu'><name>g</name><uuid>{UUID}</uuid>
<memory>262144</memory><vcpu>2</vcpu>
<sysinfo type='smbios'><bios><entry name='vendor'>V</entry></bios><system><entry name='serial'>S</entry></system>
<baseBoard><entry name='product'>P</entry></baseBoard><chassis><entry name='asset'>A</entry></chassis></sysinfo>
<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type><smbios mode='sysinfo'/></os>
<features><acpi/><apic/><hyperv><relaxed state='on'/><spinlocks state='on' retries='4096'/></hyperv>
<kvm><hidden state='on'/></kvm><vmport state='off'/></features>
<cpu mode='custom' match='exact' check='none'><model fallback='forbid'>qemu64</model>
<topology sockets='1' dies='1' cores='2' threads='1'/><feature policy='disable' name='svm'/></cpu>
<clock offset='utc'><timer name='rtc' present='yes'/><timer name='hpet' present='no'/></clock>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='file' device='disk'><driver name='qemu' type='raw' queues='2'/><source file='/a'/>
<target dev='vda' bus='virtio'/><address type='pci' domain='0x0000' bus='0x00' slot='0x10' function='0x0'/></disk>
<disk type='file' device='disk'><source file='/b'/><target dev='hdb' bus='ide'/></disk>
<controller type='scsi' index='0' model='virtio-scsi'/><controller type='usb' index='0' model='nec-xhci' ports='8'/>
<controller type='virtio-serial' index='0' ports='16'/>
<filesystem type='mount' accessmode='mapped'><source dir='/s'/><target dir='tag'/></filesystem>
<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>
<serial type='pty'/><parallel type='pty'/><channel type='pty'><target type='virtio' name='a'/></channel>
<input type='tablet' bus='usb'/><graphics type='vnc'/><video><model type='vga' vram='16384' heads='1'/></video>
<sound model='ich6'/><redirdev bus='usb' type='tcp'><source mode='connect' host='h' service='4000'/></redirdev>
<redirfilter><usbdev class='0x08' vendor='0x1234' product='0xBEEF' version='2.56' allow='yes'/></redirfilter>
<watchdog model='i6300esb' action='reset'/><hostdev mode='subsystem' type='usb' managed='no'>
<source><vendor id='0x1234'/><product id='0xbeef'/></source></hostdev>
<memballoon model='virtio'/><rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
<panic model='isa'/><shmem name='s'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>
<vsock model='virtio'><cid auto='no' address='7'/></vsock>
</devices></domain>"""


class Change(NamedTuple):
    """One thing changed in the document. text: the first difference, "" where the guest sees none."""

    old: str
    new: str
    text: str = ""


UNSEEN = [
    Change("/a'", "/other'"),
    Change("<devices>", "<on_crash>restart</on_crash><devices>"),
    Change("<graphics type='vnc'/>", "<graphics type='vnc' port='5910' autoport='no'/>"),
    Change("<serial type='pty'/>", "<serial type='file'><source path='/x'/></serial>"),
    Change("service='4000'", "service='4001'"),
    Change("action='reset'", "action='poweroff'"),
    Change("<name>g</name>", "<name>g</name><title>t</title>"),
]

SEEN = [
    Change("6c4c", "7c4c", "Target domain uuid 7c4ce3c0-44fb-4de0-9b51-1b2e9cfa3e8f does not match source 6c4ce3c0-"),
    Change("<name>g", "<name>h", "Target domain name 'h' does not match source 'g'"),
    Change("<memory>262144", "<genid/><memory>262144", "Target domain requested genid does not match source"),
    Change("262144</memory>", "263168</memory>", "Target domain max memory 263168 does not match source 262144"),
    Change("</memory>", "</memory><currentMemory>131072</currentMemory>", "Target domain current memory 131072"),
    Change("<memory>", "<maxMemory slots='2'>524288</maxMemory><memory>", "Target maximum memory size '524288' does"),
    Change("</cpu>", "<numa><cell id='0' cpus='0-1' memory='262144'/></numa></cpu>", "Target NUMA node count '1'"),
    Change("<vcpu>2", "<vcpu current='1'>2", "State of vCPU '1' differs between source and destination definitions"),
    Change("pc-i440fx-7.2", "pc-i440fx-7.1", "Target domain machine type pc-i440fx-7.1 does not match source pc-i440"),
    Change("<smbios mode='sysinfo'/>", "<smbios mode='emulate'/>", "Target domain SMBIOS mode emulate does not match"),
    Change("<acpi/>", "", "State of feature 'acpi' differs: source: 'on', destination: 'default'"),
    Change("<apic/>", "<apic eoi='on'/>", "State of feature 'apic' differs: source: 'on,eoi=default', destination: 'o"),
    Change("<apic/>", "<apic/><pae/>", "State of feature 'pae' differs: source: 'default', destination: 'on'"),
    Change("<vmport state='off'/>", "", "State of feature 'vmport' differs: source: 'off', destination: 'default'"),
    Change("<relaxed state='on'/>", "", "State of HyperV enlightenment feature 'relaxed' differs: source: 'on', dest"),
    Change("4096'/>", "8191'/>", "HyperV spinlock retry count differs: source: '4096', destination: '8191'"),
    Change("<hidden state='on'/>", "", "State of KVM feature 'hidden' differs: source: 'on', destination: 'default'"),
    Change("<timer name='hpet' present='no'/>", "", "Target domain timers do not match source"),
    Change("'rtc' present='yes'", "'rtc' present='no'", "Target timer presence 'no' does not match source 'yes'"),
    Change("name='hpet' present='no'", "name='pit' present='no'", "Target timer pit does not match source hpet"),
    Change("check='none'", "check='partial'", "Target CPU check partial does not match source none"),
    Change("qemu64", "kvm64", "Target CPU model kvm64 does not match source qemu64"),
    Change("cores='2' threads='1'", "cores='1' threads='2'", "Target CPU cores 1 does not match source 2"),
    Change("<feature policy='disable' name='svm'/>", "", "Target CPU feature count 0 does not match source 1"),
    Change("name='svm'", "name='x2apic'", "Target CPU feature x2apic does not match source svm"),
    Change("policy='disable'", "policy='require'", "Target CPU feature policy require does not match source disable"),
    Change(">V<", ">W<", "Target sysinfo BIOS vendor W does not match source V"),
    Change(">S<", ">T<", "Target sysinfo system serial T does not match source S"),
    Change(">P<", ">Q<", "Target sysinfo base board product Q does not match source P"),
    Change(">A<", ">B<", "Target sysinfo chassis asset B does not match source A"),
    Change("dev='vda'", "dev='vdc'", "Target disk vdc does not match source vda"),
    Change("slot='0x10'", "slot='0x11'", "Target device PCI address 0000:00:11.0 does not match source 0000:00:10.0"),
    Change("queues='2'", "queues='1'", "Target disk queue count 1 does not match source 2"),
    Change("bus='ide'/>", "bus='ide'/><serial>x</serial>", "Target disk serial x does not match source <null>"),
    Change("bus='ide'/>", "bus='ide'/><readonly/>", "Target disk access mode does not match source"),
    Change("bus='ide'/>", "bus='ide' rotation_rate='7200'/>", "Target disk rotation rate 7200 RPM does not match"),
    Change("queues='2'", "queues='2' iommu='on'", "Target device iommu option 'on' does not match source 'default'"),
    Change("ports='8'", "ports='4'", "Target controller ports 4 does not match source 8"),
    Change("ports='16'", "ports='8'", "Target controller ports 8 does not match source 16"),
    Change("dir='tag'", "dir='gat'", "Target filesystem guest target gat does not match source tag"),
    Change("00:00:01", "00:00:02", "Target network card mac 52:54:00:00:00:02 does not match source 52:54:00:00:00:01"),
    Change("'virtio'/></interface>", "'e1000'/></interface>", "Target network card model e1000 does not match source"),
    Change("type='tablet'", "type='mouse'", "Target input device type mouse does not match source tablet"),
    Change("'ich6'", "'ac97'", "Target sound card model ac97 does not match source ich6"),
    Change("vram='16384'", "vram='32768'", "Target video card vram 32768 does not match source 16384"),
    Change("type='vga'", "type='cirrus'", "Target video card model cirrus does not match source vga"),
    Change("<serial type='pty'/>", "<serial type='pty'/>" * 2, "Target domain serial port count 2 does not match sour"),
    Change("name='a'", "name='b'", "Target channel name b does not match source a"),
    Change("allow='yes'", "allow='no'", "Target USB allow 'no' does not match source 'yes'"),
    Change("0xBEEF", "0xDEAD", "Target USB product ID does not match source"),
    Change("'i6300esb'", "'ib700'", "Target watchdog model ib700 does not match source i6300esb"),
    Change("<memballoon model='virtio'/>", "<memballoon model='none'/>", "Target device PCI address 0000:00:0a.0"),
    Change("<memballoon model", "<memballoon autodeflate='on' model", "Target balloon autodeflate attribute value 'o"),
    Change("'isa'", "'hyperv'", "Target panic model 'hyperv' does not match source 'isa'"),
    Change(">4<", ">8<", "Target shared memory size '8388608' does not match source size '4194304'"),
    Change("<vsock model='virtio'>", "<vsock model='virtio-transitional'>", "Target domain vsock device model 'virtio"),
]  # fmt: skip

#: libvirt says the model's number.
OUR_WORDS = [Change("virtio-scsi", "lsilogic", "Target controller model lsilogic does not match source virtio-scsi")]


def read(xml: str) -> Domain:
    return complete(parse(xml), FACTS, validate=False)


def changed(change: Change) -> str:
    assert change.old in DOCUMENT
    return DOCUMENT.replace(change.old, change.new)


@pytest.mark.parametrize("change", UNSEEN, ids=lambda change: change.new[:30])
def test_what_the_guest_does_not_see(change: Change) -> None:
    compare_abi(read(DOCUMENT), read(changed(change)))


@pytest.mark.parametrize("change", [*SEEN, *OUR_WORDS], ids=lambda change: change.text[:60])
def test_the_first_difference_is_named(change: Change) -> None:
    with pytest.raises(ConfigUnsupported, match="unsupported configuration: ") as caught:
        compare_abi(read(DOCUMENT), read(changed(change)))
    assert caught.value.message.startswith(f"unsupported configuration: {change.text}")


def test_an_address_of_another_kind() -> None:
    old = read(DOCUMENT)
    disk = msgspec.structs.replace(old.devices.disks[0], address=old.devices.disks[1].address)
    devices = msgspec.structs.replace(old.devices, disks=(disk, *old.devices.disks[1:]))
    with pytest.raises(ConfigUnsupported, match="Target device address type drive does not match source pci"):
        compare_abi(old, msgspec.structs.replace(old, devices=devices))


def test_memory_given_back_counts_only_where_nothing_moves() -> None:
    old, new = read(DOCUMENT), read(DOCUMENT.replace("</memory>", "</memory><currentMemory>131072</currentMemory>"))
    compare_abi(old, new, volatile=False)


# A snapshot that is made known again must be of a domain that the guest sees as the one in the snapshot before.
REDEFINE = """
conn = libvirt.open(sys.argv[1])
domain = conn.defineXML("<domain type='qemu'><name>abi</name><uuid>%s</uuid><memory>1024</memory>"
    "<os><type>hvm</type></os></domain>" % sys.argv[2])
first, others = json.load(open(sys.argv[3]))
snapshot = "<domainsnapshot><name>s</name><creationTime>1</creationTime><state>shutoff</state>%s</domainsnapshot>"

def answer(xml):
    try:
        domain.snapshotCreateXML(snapshot % xml, libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE)
        return ""
    except libvirt.libvirtError as e:
        return e.get_error_message()

answers = []
assert answer(first) == ""
for xml in others:
    answers.append(answer(xml))
    answer(first)
domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA)
print(json.dumps(answers))
"""


@pytest.mark.peer
def test_libvirt_names_the_same(peer: Peer, tmp_path_factory: pytest.TempPathFactory) -> None:
    # libvirt compares the UUID with the domain's before it comes to this.
    changes = [change for change in (*UNSEEN, *SEEN) if change.old != "6c4c"]
    listing = tmp_path_factory.mktemp("abi") / "documents.json"
    listing.write_text(json.dumps([DOCUMENT, [changed(change) for change in changes]]))
    answers = libvirt_result(REDEFINE, peer.uri, UUID, str(listing))
    wrong = {}
    for change, answer in zip(changes, answers, strict=True):
        said = f"unsupported configuration: {change.text}" if change.text else ""
        # A space is missing there.
        answer = re.sub(r"(\.[0-7])does", r"\1 does", answer)
        if not answer.startswith(said) or bool(answer) != bool(said):
            wrong[change.new] = answer
    assert not wrong
