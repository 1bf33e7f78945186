"""What bounds a guest, asked and changed by virsh of both daemons: the same words, the same answers."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from roost.cli import main
from support.daemon import RoostDaemon
from support.peer import Peer, virsh, virsh_ok
from support.peer import run as peer_run

pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.guest]

NAME = f"tuned{os.getpid()}"
DOCUMENT = """
<domain type='qemu'>
  <name>{name}</name><uuid>5c9b4d2e-6b0f-4a3a-9a51-0d6f2b7c1e00</uuid>
  <memory unit='MiB'>64</memory><currentMemory unit='MiB'>48</currentMemory>
  <vcpu current='2'>3</vcpu><iothreads>2</iothreads>
  <cputune><shares>512</shares><vcpupin vcpu='1' cpuset='1'/><emulator_quota>20000</emulator_quota></cputune>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{disk}'/><target dev='vda'
      bus='virtio'/><iotune><total_iops_sec>500</total_iops_sec></iotune></disk>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{disk}2'/><target dev='sda'
      bus='scsi'/></disk>
    <disk type='file' device='cdrom'><target dev='hdc' bus='ide'/></disk>
    <interface type='user'><mac address='52:54:00:11:22:33'/></interface>
    <interface type='ethernet'><mac address='52:54:00:11:22:34'/><target dev='{tap}'/></interface>
  </devices>
</domain>"""

#: Run in this order; what was changed stays for those that follow. {} is the domain.
LIVE = """
vcpupin {}
vcpupin {} --config
vcpupin {} 0 0
vcpupin {} 2 0
vcpupin {} 5 0
vcpupin {} 5 0 --config
vcpupin {} 0 0-1 --config
vcpupin {}
vcpupin {} --config
vcpupin {} --live --config
emulatorpin {}
emulatorpin {} 1
emulatorpin {} 0-1 --config --live
emulatorpin {} 0 --config
emulatorpin {}
emulatorpin {} --config
iothreadinfo {}
iothreadpin {} 1 1
iothreadpin {} 4 1
iothreadpin {} 4 1 --config
iothreadpin {} 2 0 --config
iothreadinfo {}
iothreadinfo {} --config
schedinfo {}
schedinfo {} --config
schedinfo {} --set vcpu_quota=5
schedinfo {} --set vcpu_quota=50000
schedinfo {} --set vcpu_period=50000 --set global_quota=-1
schedinfo {} --set cpu_shares=1
schedinfo {} --set cpu_shares=2048 --live --config
schedinfo {} --set iothread_quota=30000 --config
schedinfo {} --set nonsense=5
schedinfo {}
schedinfo {} --config
memtune {}
memtune {} --config
memtune {} --hard-limit 400000 --live
memtune {} --soft-limit 300000 --live
memtune {} --hard-limit 700000 --swap-hard-limit 600000
memtune {} --swap-hard-limit 600000 --live
memtune {} --hard-limit 200000 --live --config
memtune {} --hard-limit -1 --config
memtune {}
memtune {} --config
blkiotune {}
blkiotune {} --config
blkiotune {} --weight 300
blkiotune {} --weight 700 --config
blkiotune {} --device-read-iops-sec /nowhere,300 --config
blkiotune {} --device-read-iops-sec /nowhere,300
blkiotune {} --device-read-iops-sec /dev/null,300
blkiotune {} --device-read-iops-sec /dev/vda
blkiotune {} --device-read-iops-sec /dev/vda,x
blkiotune {}
blkiotune {} --config
numatune {}
numatune {} --mode interleave
numatune {} --mode strict --nodeset 0 --config
numatune {} --nodeset 0
numatune {} --nodeset 0
numatune {} --nodeset 5
numatune {} --nodeset x
numatune {}
numatune {} --config
blkdeviotune {} vda
blkdeviotune {} vda --config
blkdeviotune {} vda --total-bytes-sec 1000000
blkdeviotune {} vda --read-bytes-sec 700000 --write-bytes-sec 800000 --live --config
blkdeviotune {} vda --total-bytes-sec 5 --read-bytes-sec 7
blkdeviotune {} vda --total-iops-sec-max 5
blkdeviotune {} vda --total-iops-sec-max 900 --total-iops-sec-max-length 3
blkdeviotune {} vda --group-name drives --total-iops-sec 100
blkdeviotune {} sda --group-name drives --total-iops-sec 200 --live
blkdeviotune {} sda --group-name others
blkdeviotune {} nosuch --total-iops-sec 100
blkdeviotune {} nosuch --total-iops-sec 100 --config
blkdeviotune {} nosuch
blkdeviotune {} nosuch --config
blkdeviotune {} hdc --total-iops-sec 100
blkdeviotune {} vda
blkdeviotune {} vda --config
blkdeviotune {} sda
blkdeviotune {} sda --total-iops-sec 0
blkdeviotune {} sda
domiftune {} 52:54:00:11:22:33
domiftune {} 52:54:00:11:22:33 --inbound 100
domiftune {} 52:54:00:11:22:34 --inbound 100,200,300 --outbound 50 --config
domiftune {} 52:54:00:11:22:34 --inbound 0 --config
domiftune {} 52:54:00:11:22:34 --config
domiftune {} 52:54:00:11:22:34
domiftune {} nosuch
perf {}
perf {} --enable mbmt
perf {} --enable nonsense
perf {} --enable page_faults,cpu_clock --config
perf {} --enable page_faults --disable cpu_clock --live --config
perf {}
perf {} --config
setmem {} 40M
setmem {} 300M
setmem {} 32M --config
setmaxmem {} 128M
setmaxmem {} 128M --config
dommemstat {} --period 3
dommemstat {} --period 7 --config
cpu-stats nosuch
"""

#: Of the domain when it is shut off.
STOPPED = """
vcpuinfo {}
vcpuinfo {} --pretty
vcpupin {}
vcpupin {} 1 0
vcpupin {} 1 0 --live
emulatorpin {}
iothreadinfo {}
schedinfo {}
schedinfo {} --set cpu_shares=300
schedinfo {} --live
memtune {} --live
memtune {} --hard-limit 300000
memtune {}
blkiotune {}
numatune {}
blkdeviotune {} vda
setmem {} 40M
setmem {} 40M --live
setmaxmem {} 64M
dommemstat {} --period 0
cpu-stats {}
"""


def normal(text: str) -> str:
    """Without paths of the groups, and names that each daemon gives."""
    return re.sub(r"/sys/fs/cgroup/\S*?/(?=[a-z]+\.)", "GROUP/", text).strip()


@pytest.fixture(scope="module")
def daemons(peer: Peer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    directory = tmp_path_factory.mktemp("tuned")
    with RoostDaemon() as roost:
        for name, uri in (("roost", roost.uri), ("libvirt", peer.uri)):
            disk = Path(f"/tmp/{NAME}-{name}.img")
            for image in (disk, Path(f"{disk}2")):
                image.write_bytes(bytes(1 << 20))
                image.chmod(0o666)
            path = directory / f"{name}.xml"
            path.write_text(DOCUMENT.format(name=NAME, disk=disk, tap=f"tn{os.getpid() % 100000}{name[0]}"))
            virsh_ok(uri, "define", str(path))
            virsh_ok(uri, "start", NAME, "--paused")
        try:
            yield roost.uri, peer.uri
        finally:
            virsh(peer.uri, "destroy", NAME)
            virsh(peer.uri, "undefine", NAME)
            for image in Path("/tmp").glob(f"{NAME}-*"):
                image.unlink()


def differences(daemons: tuple[str, str], lines: str) -> list[str]:
    """Where the daemons' answers differ."""
    found = []
    for line in lines.strip().splitlines():
        words = line.format(NAME).split()
        ours, theirs = (virsh(uri, *words) for uri in daemons)
        mine, peers = (normal(answer.stdout + answer.stderr) for answer in (ours, theirs))
        if peers not in mine if theirs.returncode else mine != peers:
            found.append(f"{line}\n--- roost\n{mine}\n--- libvirt\n{peers}\n")
    return found


def test_a_running_guest(daemons: tuple[str, str]) -> None:
    assert not differences(daemons, LIVE)
    ours, theirs = (virsh_ok(uri, "dumpxml", NAME) for uri in daemons)
    assert tuning_of(ours) == tuning_of(theirs)
    ours, theirs = (virsh_ok(uri, "dumpxml", NAME, "--inactive") for uri in daemons)
    assert tuning_of(ours) == tuning_of(theirs)


#: Beside what only looks: what the programs themselves refuse, and ways to say things.
WORDS = """
vcpupin {} --live --config
vcpupin {} --current --live
vcpupin {} --cpulist 0
vcpupin {} 7
vcpupin {} 0 9
vcpupin {} 0 x
vcpupin {} 0 ^0
vcpupin {} 0 r
vcpupin {} 0 0-1,^1 --current
vcpuinfo {} --pretty
emulatorpin {} --current
emulatorpin {} 0,1
iothreadpin {} 1
iothreadpin {} x 0
schedinfo {} --set
schedinfo {} --set vcpu_quota
schedinfo {} --set vcpu_quota=x
schedinfo {} --set vcpu_period=-1
schedinfo {} --live --config
schedinfo {} --weight 5
schedinfo {} vcpu_quota=40000 vcpu_period=60000
memtune {} --hard-limit 600M --live
memtune {} 500000 --swap-hard-limit -1 --live
memtune {} --soft-limit x
memtune {} --min-guarantee 5
blkiotune {} --weight 0
blkiotune {} --weight x
numatune {} --mode nonsense
numatune {} --mode 9
blkdeviotune {} vda --total_iops_sec 300
blkdeviotune {} vda --read-bytes-sec 10M --live
blkdeviotune {} vda --read-bytes-sec x
blkdeviotune {} vda --read-iops-sec x
domiftune {} 52:54:00:11:22:34 --inbound 1,2,3,4,5
domiftune {} 52:54:00:11:22:34 --inbound ,2
domiftune {} 52:54:00:11:22:34 --outbound 0,2
domiftune {} 52:54:00:11:22:34 --inbound x
domiftune {} 52:54:00:11:22:34 --inbound 4294967296
setmem {} 40M
setmem {} --kilobytes 40000
setmem {} 40Q
setmaxmem {} x
setmem {}
perf {} --enable page_faults,,context_switches
perf {} --disable page_faults --config
cpu-stats {} --start 9
cpu-stats {} --start -1
cpu-stats {} --count -1
"""


def command_line_differences(uri: str, lines: Sequence[str], capfd: pytest.CaptureFixture[str]) -> list[str]:
    """`roost` beside virsh, both at one daemon: each changes what the other has changed already."""
    found = []
    for line in lines:
        words = ["-c", uri, *line.format(NAME).split()]
        theirs = peer_run(["virsh", *words])
        capfd.readouterr()
        code = main(words)
        ours = capfd.readouterr()
        if (code, ours.out, ours.err) != (theirs.returncode, theirs.stdout, theirs.stderr):
            found.append(f"{line}\n--- roost\n{code} {ours.out}{ours.err}\n--- virsh\n{theirs.stdout}{theirs.stderr}\n")
    return found


def test_the_command_line(daemons: tuple[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    looks = [line for line in LIVE.splitlines() if re.fullmatch(r"\S+ {}( (vda|nosuch|52\S+))?( --config)?", line)]
    assert not command_line_differences(daemons[0], (*looks, *WORDS.strip().splitlines()), capfd)


def test_processor_time(daemons: tuple[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    """What changes between two looks at it."""
    for line in ("vcpuinfo {}", "cpu-stats {}", "cpu-stats {} --total", "cpu-stats {} --start 1 --count 1"):
        words = ["-c", daemons[0], *line.format(NAME).split()]
        theirs = peer_run(["virsh", *words])
        capfd.readouterr()
        code = main(words)
        still = [re.sub(r"\d+", "0", text) for text in (capfd.readouterr().out, theirs.stdout)]
        assert (code, still[0]) == (theirs.returncode, still[1])


def test_a_guest_that_is_shut_off(daemons: tuple[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    for uri in daemons:
        virsh(uri, "destroy", NAME)
    assert not differences(daemons, STOPPED)
    assert not command_line_differences(daemons[0], STOPPED.strip().splitlines(), capfd)


def tuning_of(document: str) -> list[str]:
    """The elements that bound the guest, without the devices that each daemon names itself."""
    names = "blkiotune|memtune|cputune|numatune|resource|iotune|bandwidth|memory|currentMemory|stats|perf"
    return [match[0] for match in re.finditer(rf"^ *<({names})\b(?:[^\n]*/>$|.*?</\1>)", document, re.S | re.M)]
