"""Devices of a running guest under libvirtd and under roostd: the same commands, what they print, what is left."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import pytest

from roost.cli import main
from support.daemon import RoostDaemon
from support.peer import Answer, Peer, libvirt_result, run, virsh, virsh_ok

pytestmark = [pytest.mark.peer, pytest.mark.root]

XML = """<domain type='qemu'><name>plugged</name><uuid>c5d4a2a0-6f0c-4cf0-9d2b-5d3a7a1f0a11</uuid>
<maxMemory slots='4' unit='MiB'>512</maxMemory><memory unit='MiB'>64</memory><vcpu current='1'>4</vcpu>
<iothreads>1</iothreads>
<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
<cpu><numa><cell id='0' cpus='0-3' memory='64' unit='MiB'/></numa></cpu>
<devices><controller type='scsi' model='virtio-scsi'/><controller type='usb' model='qemu-xhci'/>
<controller type='virtio-serial'/>
<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/></disk>
<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>
<serial type='pty'/><graphics type='vnc' port='-1' autoport='yes'/>
</devices></domain>"""


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with Peer() as peer:
        yield peer


@pytest.fixture(scope="module")
def files() -> Iterator[Path]:
    # Not pytest's own directory: QEMU's user must be able to enter.
    directory = Path(tempfile.mkdtemp(prefix="roost-files-", dir="/tmp"))
    directory.chmod(0o755)
    for name in ("a.img", "b.img"):
        (directory / name).write_bytes(bytes(1 << 20))
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", directory / "c.qcow2", "4M"], check=True)
    yield directory
    shutil.rmtree(directory)


#: Devices too long for a line of the next table, by the names they have there.
DEVICES = {
    "virtio-mem": "<memory model='virtio-mem'><target><size unit='MiB'>64</size><node>0</node><block "
    "unit='KiB'>2048</block><requested unit='MiB'>4</requested></target></memory>",
    "dimm": "<memory model='dimm'><target><size unit='MiB'>64</size><node>0</node></target></memory>",
    "huge-dimm": "<memory model='dimm'><target><size unit='MiB'>512</size><node>0</node></target></memory>",
    "dimm-nowhere": "<memory model='dimm'><target><size unit='MiB'>64</size><node>4</node></target></memory>",
    "redirdev": "<redirdev bus='usb' type='unix'><source mode='bind' path='/tmp/plugged.redir'/></redirdev>",
    "hostdev": "<hostdev mode='subsystem' type='pci'><source><address domain='0' bus='9' slot='0x1f' "
    "function='0'/></source></hostdev>",
    "transient": "<disk type='file' device='disk'><source file='FILES/a.img'/><target dev='sdt' bus='scsi'/>"
    "<transient/></disk>",
    "nic-bandwidth": "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/><bandwidth>"
    "<inbound average='9'/></bandwidth></interface>",
    "nic-e1000": "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='e1000'/></interface>",
    "nic-down": "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/><link "
    "state='down'/></interface>",
    "vnc-fail": "<graphics type='vnc' port='-1' passwd='x' connected='fail'><listen type='address' "
    "address='127.0.0.1'/></graphics>",
    "vnc-listen": "<graphics type='vnc' port='-1' passwd='x'><listen type='address' address='0.0.0.0'/></graphics>",
}

#: Words of virsh; FILES is the directory of images, XML:… a document in a file, @… one of DEVICES.
#: None needs the guest to answer.
STEPS = r"""
attach-disk plugged FILES/a.img sda --targetbus scsi --live
attach-disk plugged FILES/a.img sda --targetbus scsi --live
attach-disk plugged FILES/a.img sda --targetbus scsi --config
attach-disk plugged FILES/a.img sda --targetbus scsi --config
attach-disk plugged FILES/c.qcow2 sdb --targetbus usb --subdriver qcow2 --live
attach-disk plugged FILES/b.img vda --live --serial 12-34
attach-disk plugged FILES/missing.img vdb --live
attach-disk plugged FILES/b.img hdd --targetbus ide --live
attach-disk plugged FILES/b.img fda --type floppy --live
attach-disk plugged FILES/b.img vdc --type cdrom --live
detach-disk plugged sda --live
detach-disk plugged sda --config
detach-disk plugged sda --config
detach-disk plugged sdb --live
detach-disk plugged hdc --live
change-media plugged hdc FILES/b.img --insert --live
change-media plugged hdc FILES/b.img --insert --live
change-media plugged hdc FILES/a.img --update --live
change-media plugged hdc --eject --live
change-media plugged hdc --eject --live
change-media plugged hdx --eject
attach-interface plugged network nowhere --live
detach-interface plugged user --mac 52:54:00:00:00:99 --live
detach-interface plugged bridge --live
domif-setlink plugged 52:54:00:00:00:01 down
domif-getlink plugged 52:54:00:00:00:01
domif-setlink plugged 52:54:00:00:00:01 up
domif-setlink plugged 52:54:00:00:00:77 up
attach-device plugged XML:<rng%model='virtio'><backend%model='random'>/dev/urandom</backend></rng> --live
attach-device plugged XML:<rng%model='virtio'><backend%model='random'>/dev/urandom</backend></rng> --config
detach-device plugged XML:<rng%model='virtio'><backend%model='random'>/dev/urandom</backend></rng> --config
detach-device plugged XML:<rng%model='virtio'><backend%model='random'>/dev/urandom</backend></rng> --config
attach-device plugged XML:<input%type='tablet'%bus='usb'/> --live
detach-device plugged XML:<input%type='tablet'%bus='usb'/> --live
detach-device plugged XML:<input%type='tablet'%bus='usb'/> --live
attach-device plugged XML:<input%type='mouse'%bus='ps2'/> --live
attach-device plugged XML:<watchdog%model='ib700'/> --live
attach-device plugged XML:<watchdog%model='i6300esb'/> --live
attach-device plugged XML:<watchdog%model='i6300esb'/> --live
attach-device plugged XML:<sound%model='ac97'/> --live
attach-device plugged XML:<video><model%type='vga'/></video> --config
attach-device plugged XML:<controller%type='usb'%index='1'%model='qemu-xhci'/> --live
attach-device plugged XML:<controller%type='scsi'%index='0'/> --config
attach-device plugged XML:<controller%type='scsi'%index='3'%model='virtio-scsi'/> --live
detach-device plugged XML:<controller%type='pci'%index='0'/> --live
detach-device plugged XML:<controller%type='scsi'%index='7'/> --live
attach-device plugged XML:<channel%type='unix'><target%type='virtio'%name='org.example.a'/></channel> --live
detach-device plugged XML:<channel%type='unix'><target%type='virtio'%name='org.example.a'/></channel> --live
detach-device plugged XML:<channel%type='unix'><target%type='virtio'%name='org.example.b'/></channel> --live
attach-device plugged @dimm --live
attach-device plugged XML:<filesystem><source%dir='/tmp'/><target%dir='t'/></filesystem> --live
attach-device plugged XML:<vsock%model='virtio'><cid%auto='yes'/></vsock> --config
attach-device plugged XML:<lease><lockspace>a</lockspace><key>b</key><target%path='/x'/></lease> --live --config
attach-device plugged XML:<lease><lockspace>a</lockspace><key>c</key><target%path='/x'/></lease> --live
detach-device plugged XML:<lease><lockspace>a</lockspace><key>b</key><target%path='/x'/></lease> --live
detach-device plugged XML:<lease><lockspace>a</lockspace><key>b</key><target%path='/x'/></lease> --live
detach-device plugged XML:<lease><lockspace>z</lockspace><key>b</key><target%path='/x'/></lease> --config
attach-device plugged XML:<console%type='pty'/> --live
attach-device plugged XML:<console%type='pty'/> --config
attach-device plugged XML:<controller%type='scsi'%index='0'%model='virtio-scsi'/> --live
attach-device plugged @huge-dimm --live
attach-device plugged @dimm-nowhere --live
attach-device plugged XML:<input%type='evdev'><source%dev='/dev/input/event99'/></input> --live
attach-device plugged XML:<graphics%type='vnc'/> --live
attach-device plugged XML:<redirdev%bus='usb'%type='spicevmc'/> --live
attach-device plugged @redirdev --live
attach-device plugged @hostdev --config
attach-device plugged @hostdev --config
detach-device plugged @hostdev --live
detach-device plugged @hostdev --config
attach-device plugged @transient --live
domblklist plugged
detach-disk plugged sdt --live
detach-device-alias plugged balloon0 --live
detach-device-alias plugged video0 --live
update-device plugged @nic-bandwidth --live
update-device plugged @nic-e1000 --live
update-device plugged @nic-down --live --config
update-device plugged @vnc-fail --live
update-device plugged @vnc-listen --live
attach-device plugged @virtio-mem --live
update-memory-device plugged --alias virtiomem0 --requested-size 8MiB --live
update-memory-device plugged --node 0 --requested-size 7MiB --live
update-memory-device plugged --node 0 --requested-size 100MiB --live
update-memory-device plugged --node 3 --requested-size 8MiB --live
attach-device plugged XML:<nonsense/> --live
attach-device plugged XML:<disk --live
detach-device-alias plugged nothing --live
update-device plugged XML:<input%type='mouse'%bus='usb'/> --live
update-device plugged XML:<sound%model='ac97'/> --config
update-device plugged XML:<graphics%type='vnc'%port='-1'%passwd='x'/> --live
update-device plugged XML:<graphics%type='vnc'%port='-1'%keymap='de'/> --live
update-device plugged XML:<graphics%type='spice'/> --live
setvcpus plugged 2 --live
setvcpus plugged 9 --live
setvcpus plugged 9 --config
setvcpus plugged 3 --config
setvcpus plugged 2 --maximum --live
setvcpus plugged 4 --maximum --config
setvcpu plugged 3 --enable --live
setvcpu plugged 3 --enable --live
setvcpu plugged 8 --enable --live
setvcpu plugged 0 --disable --live
setvcpu plugged 0 --disable --config
setvcpu plugged 2 --enable --config
vcpucount plugged
iothreadadd plugged 3 --live
iothreadadd plugged 3 --live
iothreadadd plugged 0 --live
iothreaddel plugged 9 --live
iothreadset plugged 3 --poll-max-ns 1000 --live
iothreadset plugged 3 --poll-max-ns 1000 --config
iothreadset plugged 3 --thread-pool-min 9 --thread-pool-max 3 --live
iothreaddel plugged 3 --live
""".strip().splitlines()

#: How steps begin whose outcome is another under roostd, and why.
DIFFERENT = {
    "attach-disk plugged FILES/missing.img": "who cannot have the file is said, too",
    "attach-disk plugged FILES/b.img hdd": "refused before QEMU is asked",
    "attach-device plugged XML:<video>": "refused before it is completed",
    "detach-device plugged XML:<channel%type='unix'><target%type='virtio'%name='org.example.a'/>": "a path that is not"
    " given is not asked for",
    "attach-device plugged XML:<disk ": "another parser points at the same place",
    "update-device plugged XML:<graphics%type='vnc'": "an address that is not given is not changed",
}


def play(uri: str, files: Path) -> tuple[list[tuple[int, str]], list[str]]:
    """What each step printed under a daemon, and both documents at the end."""
    document = files / "plugged.xml"
    document.write_text(XML)
    virsh_ok(uri, "define", str(document))
    virsh_ok(uri, "start", "plugged")
    try:
        outcomes = [_outcome(virsh(uri, *_words(step, files))) for step in STEPS]
        texts = [virsh_ok(uri, "dumpxml", "plugged", *options) for options in ((), ("--inactive",))]
    finally:
        virsh_ok(uri, "destroy", "plugged")
    return outcomes, [_comparable(text) for text in texts]


def _words(step: str, files: Path) -> list[str]:
    words = []
    for word in step.split():
        if word.startswith(("XML:", "@")):
            path = files / "device.xml"
            device = DEVICES[word[1:]] if word.startswith("@") else word.removeprefix("XML:").replace("%", " ")
            path.write_text(device.replace("FILES", str(files)))
            word = str(path)
        words.append(word.replace("FILES", str(files)))
    return words


def _outcome(answer: Answer) -> tuple[int, str]:
    return answer.returncode, (answer.stdout + answer.stderr).strip()


def _is_text_with_hints(ours: str, theirs: str) -> bool:
    """Whether the lines are the same, but for what is said behind them and whom a file is out of reach for."""
    ours = re.sub(r" \(as uid:\d+, gid:\d+\)", "", ours)
    pairs = list(zip_longest(ours.splitlines(), theirs.splitlines(), fillvalue=""))
    return all(our == their or our.startswith(f"{their}; ") for our, their in pairs)


def _comparable(text: str) -> str:
    """Without the numbers of images, which libvirtd never gives twice, and without what differs from guest to guest."""
    text = re.sub(r" index='[0-9]+'(?=/>)", "", text)
    text = re.sub(r"/dev/pts/[0-9]+|port='[0-9]{4,}'|domain-[0-9]+-plugged", "…", text)
    # Where memory of virtio's is, libvirt tells since 9.4.
    text = re.sub(r"<address base='0x[0-9a-f]+'/>", "", text)
    text = re.sub(r"<channel.*?</channel>|<seclabel.*?</seclabel>|<resource>.*?</resource>", "", text, flags=re.DOTALL)
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def test_the_same_commands(peer: Peer, files: Path) -> None:
    theirs, documents = play(peer.uri, files)
    with RoostDaemon() as daemon:
        ours, made = play(daemon.uri, files)
    for step, (code, text), (our_code, our_text) in zip(STEPS, theirs, ours, strict=True):
        if step.startswith(tuple(DIFFERENT)):
            assert (our_code, our_text) != (code, text), f"no difference any more: {step}"
        else:
            assert our_code == code, f"{step}: {text!r}, {our_text!r}"
            assert _is_text_with_hints(our_text, text), step
    for mine, other in zip(made, documents, strict=True):
        assert mine.splitlines() == other.splitlines()


#: Commands that print what they would send, or refuse before they send anything.
PRINTED = """
attach-disk plugged /x.img vdb --print-xml
attach-disk plugged /x&y.img vdb --targetbus virtio --driver qemu --subdriver qcow2 --cache none --io native --print-xml
attach-disk plugged /x.img sdb --type cdrom --mode readonly --serial 5 --wwn 5000c50015ea71ac --alias ua-x --print-xml
attach-disk plugged /x.img vdb --shareable --rawio --iothread 1 --address pci:0000.00.05.0 --multifunction --print-xml
attach-disk plugged /x.img sdb --address scsi:00.00.03 --print-xml
attach-disk plugged /x.img sdb --address usb:00.03 --print-xml
attach-disk plugged /x.img vdb --address scsi:00.00.03 --print-xml
attach-disk plugged /x.img sdb --address pci:0000.00.05.0 --print-xml
attach-disk plugged /x.img hdb --address scsi:00.00.03 --print-xml
attach-disk plugged /x.img vdb --address nonsense --print-xml
attach-disk plugged /x.img vdb --mode writable --print-xml
attach-disk plugged /x.img vdb --sourcetype cloud --print-xml
attach-disk plugged pool/x vdb --source-protocol rbd --source-host-name there:6789 --print-xml
attach-disk plugged x vdb --source-protocol nbd --source-host-transport unix --source-host-socket /s --print-xml
attach-disk plugged x vdb --sourcetype network --print-xml
attach-disk plugged x vdb --source-host-name there --print-xml
attach-disk plugged x vdb --source-protocol nbd --source-host-socket /s --print-xml
attach-disk plugged /x.img vdb --live --current --print-xml
attach-disk plugged /x.img vdb --persistent --current --print-xml
attach-interface plugged bridge br0 --print-xml
attach-interface plugged network default --mac 52:54:00:00:00:09 --model virtio --target t0 --script /s --print-xml
attach-interface plugged bridge br0 --inbound 100,200,300,50 --outbound 10,,30 --alias ua-n --print-xml
attach-interface plugged direct eth0 --print-xml
attach-interface plugged hostdev 0000:01:02.3 --managed --print-xml
attach-interface plugged hostdev nonsense --print-xml
attach-interface plugged vhostuser /s --source-mode client --print-xml
attach-interface plugged vhostuser /s --print-xml
attach-interface plugged vhostuser /s --source-mode both --print-xml
attach-interface plugged user x --print-xml
attach-interface plugged bridge br0 --inbound 1,2,3,4,5 --print-xml
attach-interface plugged bridge br0 --inbound a --print-xml
attach-interface plugged bridge br0 --inbound 0 --print-xml
attach-interface plugged bridge br0 --outbound 0,1 --print-xml
attach-interface plugged bridge br0 --outbound 1,0,0,5 --print-xml
detach-disk plugged hdc --print-xml
detach-disk plugged nothing --print-xml
detach-interface plugged user --print-xml
detach-interface plugged user --mac 52:54:00:00:00:99 --print-xml
detach-interface plugged bridge --print-xml
detach-interface plugged bridge
change-media plugged hdc /x.iso --print-xml
change-media plugged hdc /x.iso --insert --print-xml
change-media plugged hdc /dev/sr0 --block --print-xml
change-media plugged hdc --eject --print-xml
change-media plugged hdc --update --print-xml
change-media plugged hdc --insert --print-xml
change-media plugged hdc /x.iso --eject --insert
change-media plugged hdc /x.iso --eject --block
change-media plugged vda /x.iso
domif-setlink plugged 52:54:00:00:00:01 down --print-xml
domif-setlink plugged 52:54:00:00:00:01 sideways
domif-setlink plugged nothing up
domif-getlink plugged 52:54:0:0:0:1
domif-getlink plugged nothing
domif-getlink plugged 52:54:00:00:00:77
attach-device plugged /nonexistent.xml
attach-device plugged /nonexistent.xml --live --current
detach-device plugged /nonexistent.xml
update-device plugged /nonexistent.xml --force
detach-device-alias plugged nothing --config --current
detach-device-alias plugged nothing --config
update-memory-device plugged --print-xml
update-memory-device plugged --alias x --node 0
setvcpus plugged 0
setvcpus plugged 2 --maximum
setvcpus plugged 2 --guest --config
setvcpus plugged x
setvcpu plugged 1
setvcpu plugged 1 --enable --disable
iothreadadd plugged 0
iothreadadd plugged x
iothreaddel plugged -- -1
iothreadset plugged 1
iothreadset plugged 1 --poll-grow x
iothreadset plugged 0 --poll-grow 1
""".strip().splitlines()


def test_roost_prints_what_virsh_prints(
    files: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with RoostDaemon() as daemon:
        document = files / "plugged.xml"
        document.write_text(XML)
        virsh_ok(daemon.uri, "define", str(document))
        for line in PRINTED:
            answer = run(["virsh", "-c", daemon.uri, *line.split()])
            capfd.readouterr()
            code = main(["-c", daemon.uri, *line.split()])
            out, err = capfd.readouterr()
            assert (code, out, err) == (answer.returncode, answer.stdout, answer.stderr), line


#: Does things to the guest, one after another, and prints the events of each. They come in order on one connection.
EVENTS = """
import threading, time
libvirt.virEventRegisterDefaultImpl()
threading.Thread(target=lambda: [libvirt.virEventRunDefaultImpl() for _ in iter(int, 1)], daemon=True).start()
connection = libvirt.open(sys.argv[1])
domain, files = connection.lookupByName("plugged"), sys.argv[2]
seen = []
def told(name):
    return lambda connection, domain, *details: seen.append([name, *[str(each) for each in details[:-1]]])
for name in ("DEVICE_ADDED", "DEVICE_REMOVED", "DEVICE_REMOVAL_FAILED", "TRAY_CHANGE", "DISK_CHANGE"):
    connection.domainEventRegisterAny(domain, getattr(libvirt, "VIR_DOMAIN_EVENT_ID_" + name), told(name), None)
disk = "<disk><source file='%s/a.img'/><target dev='sda' bus='scsi'/></disk>" % files
drive = "<disk device='cdrom'><source file='%s/b.img'/><target dev='hdc' bus='ide'/></disk>" % files
dimm = "<memory model='dimm'><target><size unit='MiB'>64</size><node>0</node></target></memory>"
mouse = "<input type='mouse' bus='usb'/>"
steps = [
    lambda: domain.attachDeviceFlags(disk, 3), lambda: domain.detachDeviceFlags(disk, 3),
    lambda: domain.attachDeviceFlags(mouse, 1), lambda: domain.detachDeviceAlias("input2", 1),
    lambda: domain.updateDeviceFlags(drive, 1), lambda: domain.attachDeviceFlags(dimm, 1),
    lambda: domain.attachDeviceFlags(mouse, 2), lambda: domain.setVcpusFlags(2, 1),
]
outcome = []
for step in steps:
    del seen[:]
    step()
    time.sleep(0.5)
    outcome.append(list(seen))
print(json.dumps(outcome))
"""


def events(uri: str, files: Path) -> object:
    document = files / "plugged.xml"
    document.write_text(XML)
    virsh_ok(uri, "define", str(document))
    virsh_ok(uri, "start", "plugged")
    try:
        return libvirt_result(EVENTS, uri, str(files))
    finally:
        virsh_ok(uri, "destroy", "plugged")


def test_the_same_events(peer: Peer, files: Path) -> None:
    theirs = events(peer.uri, files)
    with RoostDaemon() as daemon:
        assert events(daemon.uri, files) == theirs
