"""Every event of a domain that can be made here, made under libvirtd and under roostd: which, with which details, in
which order.

Not made here: CONTROL_ERROR (QEMU would have to talk nonsense), MEMORY_FAILURE (a broken memory module and KVM),
MEMORY_DEVICE_SIZE_CHANGE (a guest with a driver of virtio-mem), a channel that the guest opens
(tests/guest/test_agent.py), and those that libvirt 9.0 has not: NIC_MAC_CHANGE, VCPU_REMOVED, CHANNEL_LIFECYCLE.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roost.constants import domain_events as E
from support import poker
from support.daemon import RoostDaemon
from support.peer import Peer, libvirt_result, virsh

pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.guest]

XML = """<domain type='qemu'><name>evented</name><uuid>c5d4a2a0-6f0c-4cf0-9d2b-5d3a7a1f0a15</uuid>
<maxMemory slots='2' unit='MiB'>256</maxMemory><memory unit='MiB'>64</memory><vcpu current='1'>2</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
<cpu><numa><cell id='0' cpus='0-1' memory='64' unit='MiB'/></numa></cpu><on_crash>preserve</on_crash>
<devices><controller type='scsi' model='virtio-scsi'/>
<disk type='file' device='disk'><source file='{files}/boot.img'/><target dev='vda' bus='virtio'/></disk>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{files}/data.qcow2'/>
<target dev='vdb' bus='virtio'/></disk>
<disk type='file' device='cdrom'><source file='{files}/missing.iso' startupPolicy='optional'/>
<target dev='hdc' bus='ide'/></disk>
<serial type='unix'><source mode='bind' path='{files}/serial.sock'/></serial>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
<graphics type='vnc' socket='{files}/vnc.sock'/><watchdog model='ib700' action='pause'/><panic model='isa'/>
</devices></domain>"""
BROKEN = """<domain type='qemu'><name>broken</name><uuid>c5d4a2a0-6f0c-4cf0-9d2b-5d3a7a1f0a16</uuid>
<memory unit='MiB'>64</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><disk type='file' device='disk'><driver name='qemu' type='qcow2' error_policy='stop' rerror_policy='stop'/>
<source file='{files}/broken.qcow2'/><target dev='vda' bus='virtio'/></disk></devices></domain>"""

#: Does one thing after another and prints the events of each. argv: URI, directory of files, of tests, the documents.
SCRIPT = r"""
import libvirt_qemu, socket, threading, time
uri, files, tests, document, broken = sys.argv[1:]
sys.path.insert(0, tests)
from support.poker import Poker

libvirt.virEventRegisterDefaultImpl()
threading.Thread(target=lambda: [libvirt.virEventRunDefaultImpl() for _ in iter(int, 1)], daemon=True).start()
connection = libvirt.open(uri)
seen, result, state = [], {}, {}


def normal(value):
    if isinstance(value, dict):
        return {str(key): normal(each) for key, each in sorted(value.items())}
    if isinstance(value, (list, tuple)):
        return [normal(each) for each in value]
    return value.replace(files, "FILES") if isinstance(value, str) else value


def told(name):
    def callback(connection, domain, *details):
        details = list(details[:-1])
        if name == "RTC_CHANGE":
            details = [round(details[0] / 3600)]
        elif name == "JOB_COMPLETED":
            # QEMU has no speed of what took no time: neither tells it then.
            names = sorted(set(details[0]) - {"memory_bps"})
            details = [names, details[0]["operation"], details[0].get("success")]
        seen.append([name, domain.name(), *normal(details)])
    return callback


for name in dir(libvirt):
    if name.startswith("VIR_DOMAIN_EVENT_ID_") and name != "VIR_DOMAIN_EVENT_ID_LAST":
        short = name.removeprefix("VIR_DOMAIN_EVENT_ID_")
        connection.domainEventRegisterAny(None, getattr(libvirt, name), told(short), None)


def settle():
    # Until nothing has come for a while.
    count, since = len(seen), time.monotonic()
    while time.monotonic() - since < 0.4:
        time.sleep(0.05)
        if len(seen) != count:
            count, since = len(seen), time.monotonic()


def distinct(events):
    # How often a firmware resets on its way, and how many rounds a migration takes, differs from run to run.
    found = [event[:2] if event[0] == "MIGRATION_ITERATION" else event for event in events]
    return [event for number, event in enumerate(found) if number == 0 or event != found[number - 1]]


def until(name):
    deadline = time.monotonic() + 60
    while not any(event[0] == name for event in seen):
        assert time.monotonic() < deadline, "no " + name
        time.sleep(0.05)


def ask(command, **arguments):
    text = json.dumps({"execute": command, "arguments": arguments})
    answer = json.loads(libvirt_qemu.qemuMonitorCommand(state["domain"], text, 0))
    assert "error" not in answer, answer
    return answer["return"]


def started():
    state["domain"].createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    state["poker"] = Poker(files + "/serial.sock")
    state["domain"].resume()
    state["poker"].booted()


def define():
    state["domain"] = connection.defineXML(document)


def watchdog():
    state["poker"].send(0x443, 0x0F)
    until("WATCHDOG")
    settle()
    state["domain"].resume()
    state["poker"]._expect(b".")


def balloon():
    devices = ask("query-pci")[0]["devices"]
    device = next(each for each in devices if (each["id"]["vendor"], each["id"]["device"]) == (0x1AF4, 0x1002))
    bar = next(each["address"] for each in device["regions"] if each["type"] == "io")
    # The legacy registers, then how many pages the host wants, then how many there are in the balloon.
    state["poker"].out(bar + 24, 1024, word=True)
    until("BALLOON_CHANGE")


def rtc():
    # The year is register 9.
    state["poker"].out(0x70, 9)
    state["poker"].out(0x71, 0x30)
    until("RTC_CHANGE")


def vnc():
    with socket.socket(socket.AF_UNIX) as there:
        there.connect(files + "/vnc.sock")
        there.recv(12)
        there.sendall(b"RFB 003.008\n")
        there.recv(2)
        there.sendall(b"\1")
        there.recv(4)
        there.sendall(b"\1")
        there.recv(24)
        until("GRAPHICS")
        settle()


def refused():
    dimm = "<memory model='dimm'><target><size unit='MiB'>64</size><node>0</node></target></memory>"
    state["domain"].attachDeviceFlags(dimm, 1)
    until("DEVICE_ADDED")
    errors = []

    def detach():
        try:
            state["domain"].detachDeviceFlags(dimm, 1)
        except libvirt.libvirtError as error:
            errors.append([error.get_error_code(), error.get_error_message().partition(";")[0]])

    thread = threading.Thread(target=detach)
    thread.start()
    time.sleep(0.5)
    # ACPI's registers of memory modules: which, what was asked of it, how it went.
    state["poker"].out(0xA00, 0, word=True)
    state["poker"].out(0xA04, 0x103, word=True)
    state["poker"].out(0xA08, 0x81, word=True)
    thread.join()
    settle()
    seen.append(errors)


def copy():
    xml = "<disk type='file'><driver type='raw'/><source file='%s/copy.img'/></disk>" % files
    state["domain"].blockCopy("vdb", xml, {}, libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB)
    until("BLOCK_JOB_2")
    settle()
    state["domain"].blockJobAbort("vdb", 0)


def threshold():
    state["domain"].setBlockThreshold("vdb", 1 << 16)
    device = "/machine/peripheral/virtio-disk1/virtio-backend"
    ask("human-monitor-command", **{"command-line": "qemu-io -d %s \"write 0 1M\"" % device})
    until("BLOCK_THRESHOLD")


def sleep(kind):
    # The power management control register: type of sleep in bits 10 to 12, bit 13 starts it.
    state["poker"].send(0x604, 0x2000 | kind << 10, word=True)


def asleep():
    sleep(1)
    until("PMSUSPEND")
    settle()
    state["domain"].pMWakeup()
    until("PMWAKEUP")


def off(kind):
    sleep(kind)
    deadline = time.monotonic() + 60
    while state["domain"].isActive():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def panicked():
    state["poker"].out(0x505, 2)
    settle()
    state["poker"].send(0x505, 1)
    settle()


def save():
    state["domain"].save(files + "/save")
    settle()
    connection.restore(files + "/save")


def io_error():
    domain = connection.createXML(broken)
    until("IO_ERROR")
    settle()
    domain.destroy()


def renamed():
    state["domain"].rename("evented2")
    state["domain"].rename("evented")


disk = "<disk type='file'><source file='%s/more.img'/><target dev='sda' bus='scsi'/></disk>" % files
drive = "<disk type='file' device='cdrom'><source file='%s/more.img'/><target dev='hdc' bus='ide'/></disk>" % files
steps = {
    "define": define,
    "define again": define,
    "rename": renamed,
    "start": started,
    "suspend": lambda: state["domain"].suspend(),
    "resume": lambda: state["domain"].resume(),
    "clock": rtc,
    "watchdog": watchdog,
    "balloon": balloon,
    "display": vnc,
    "attach": lambda: state["domain"].attachDeviceFlags(disk, 3),
    "detach": lambda: state["domain"].detachDeviceFlags(disk, 3),
    "medium": lambda: state["domain"].updateDeviceFlags(drive, 1),
    "tray": lambda: ask("human-monitor-command", **{"command-line": "eject -f ide0-1-0"}),
    "memory refused": refused,
    "pins": lambda: state["domain"].pinVcpu(0, (True,)),
    "throttle": lambda: state["domain"].setBlockIoTune("vda", {"total_iops_sec": 5000}, 1),
    "shares": lambda: state["domain"].setSchedulerParametersFlags({"cpu_shares": 500}, 1),
    "title": lambda: state["domain"].setMetadata(1, "words", None, None, 3),
    "metadata": lambda: state["domain"].setMetadata(2, "<a/>", "a", "http://example.org/a", 1),
    "copy": copy,
    "threshold": threshold,
    "dump": lambda: state["domain"].coreDumpWithFormat(files + "/dump", 0, libvirt.VIR_DUMP_MEMORY_ONLY),
    "save and restore": save,
    "destroy": lambda: state["domain"].destroy(),
    "start again": started,
    "sleep": asleep,
    "reset": lambda: (state["domain"].reset(), state["poker"].booted()),
    "to disk": lambda: off(2),
    "third start": started,
    "panic": panicked,
    "destroy the crashed": lambda: state["domain"].destroy(),
    "fourth start": started,
    "off": lambda: off(0),
    "bad disk": io_error,
    "undefine": lambda: state["domain"].undefine(),
}
for name, step in steps.items():
    del seen[:]
    step()
    settle()
    result[name] = distinct(seen)
print(json.dumps(result))
"""


@pytest.fixture
def files() -> Iterator[Path]:
    # Not pytest's own directory: QEMU's user must be able to enter, and write.
    directory = Path(tempfile.mkdtemp(prefix="roost-events-", dir="/tmp"))
    directory.chmod(0o777)
    yield directory
    shutil.rmtree(directory)


def _prepare(files: Path) -> None:
    for path in files.iterdir():
        path.unlink()
    poker.write_disk(files / "boot.img")
    (files / "more.img").write_bytes(bytes(1 << 20))
    for name in ("data", "broken"):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", files / f"{name}.qcow2", "4M"], check=True)
    subprocess.run(
        ["qemu-io", "-f", "qcow2", "-c", "write -P 0 0 64k", files / "broken.qcow2"], check=True, capture_output=True
    )
    with (files / "broken.qcow2").open("r+b") as image:
        # The first cluster is said to be compressed: what stands there cannot be unpacked.
        image.seek(40)
        table = int.from_bytes(image.read(8), "big")
        image.seek(table)
        second = int.from_bytes(image.read(8), "big") & ~(0xFF << 56)
        image.seek(second)
        image.write((1 << 62 | 0x50000).to_bytes(8, "big"))


def _play(uri: str, files: Path) -> dict[str, Any]:
    _prepare(files)
    try:
        result: dict[str, Any] = libvirt_result(
            SCRIPT, uri, str(files), str(Path(__file__).parents[1]), XML.format(files=files), BROKEN.format(files=files)
        )
    finally:
        for name in ("evented", "evented2", "broken"):
            virsh(uri, "destroy", name)
            virsh(uri, "undefine", name)
    return result


def test_the_same_events(peer: Peer, files: Path) -> None:
    theirs = _play(peer.uri, files)
    # Its worker may come to the panic only after the stop that QEMU tells of next; ours never does.
    theirs["panic"] = [each for each in theirs["panic"] if each[2:] != [E.SUSPENDED, E.SUSPENDED_PAUSED]]
    with RoostDaemon() as daemon:
        ours = _play(daemon.uri, files)
    kinds = {event[0] for events in theirs.values() for event in events if isinstance(event[0], str)}
    assert len(kinds) == 24, kinds
    different = {step: (events, ours[step]) for step, events in theirs.items() if ours[step] != events}
    assert not different
