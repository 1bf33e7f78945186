"""test:///default of roostd beside libvirtd's own: the same commands to both, and what each says."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from roost.client.blocking import Client
from support.daemon import RoostDaemon
from support.peer import Peer, libvirt_result
from support.programs import Outcome, in_test_driver, lines, virsh

pytestmark = [pytest.mark.peer, pytest.mark.root]

#: Each story is played in a world of its own, one command after the other.
LOOKING_AND_TUNING = """
version
hostname
sysinfo
cpu-models x86_64
cpu-models nosuch
nodeinfo
nodecpustats
nodememstats
freecell --all
maxvcpus
dominfo test
domstats
domstats --list-inactive
domstats --iothread
domstats --balloon
domstats --enforce --balloon
vcpuinfo test
vcpuinfo test --pretty
vcpupin test
vcpupin test 0
vcpupin test 0 1
vcpupin test 0 1-3 --config
vcpupin test 7 1
vcpupin test
vcpuinfo test
emulatorpin test
emulatorpin test 2
emulatorpin test 3-4 --config
emulatorpin test
emulatorpin test --config
emulatorpin test --config --live
vcpucount test
setvcpus test 1
vcpucount test
vcpuinfo test
setvcpus test 3
setvcpus test 40
setvcpus test 0
setvcpus test 4 --maximum
setvcpus test 4 --maximum --config
setvcpus test 3 --config
setvcpus test 1 --config
setvcpus test 2 --live
setvcpus test 2 --config --live
setvcpus test 2 --guest
setvcpus test 2 --hotpluggable
vcpucount test
setvcpu test 1 --enable
schedinfo test
schedinfo test --set weight=70
schedinfo test --set nosuch=70
schedinfo test --weight 33
schedinfo test --config
schedinfo test --live
memtune test
memtune test --hard-limit 10000 --soft-limit 2000
memtune test --hard-limit 10000 --swap-hard-limit 2000
memtune test --hard-limit 10000 --swap-hard-limit 20000 --config
memtune test --swap-hard-limit 5 --live
memtune test
memtune test --config
memtune test --config --live
memtune test --hard-limit -1
memtune test --hard-limit 0
memtune test
numatune test
numatune test --nodeset 0-1
numatune test --nodeset 0-1 --mode strict --config
numatune test --mode interleave
numatune test --mode preferred
numatune test --mode 9
numatune test --nodeset x
numatune test
numatune test --config
numatune test --mode strict --config --live
blkiotune test
blkiotune test --weight 500
blkiotune test --weight 50
blkiotune test --device-weights /dev/sda,500
blkiotune test --device-weights /dev/sda
blkiotune test --device-read-iops-sec /dev/sda,500,/dev/sdb,3
blkiotune test --device-write-bytes-sec /dev/sda,5000 --config
blkiotune test
blkiotune test --config
blkiotune test --device-weights /dev/sda,0
blkiotune test
blkdeviotune test vda
blkdeviotune test vda --total-bytes-sec 1000
blkdeviotune test vda --total-bytes-sec 1000 --total-bytes-sec-max 2000
blkdeviotune test vda --total-bytes-sec 3000
blkdeviotune test vda --read-bytes-sec 10 --read-bytes-sec-max 10
blkdeviotune test vda --total-iops-sec 1 --read-iops-sec 1
blkdeviotune test vda --total-iops-sec-max 10 --write-iops-sec-max 10
blkdeviotune test vda --group-name g --config
blkdeviotune test vda --size-iops-sec 3 --total-iops-sec-max 1000000000000001
blkdeviotune test vda
blkdeviotune test vda --config
blkdeviotune test nosuch
blkdeviotune test nosuch --total-bytes-sec 1
blkdeviotune test /guest/diskimage1
domiftune test testnet0
domiftune test testnet0 --inbound 100,200,300
domiftune test aa:bb:cc:dd:ee:ff
domiftune test testnet0 --outbound 10 --config
domiftune test testnet0 --inbound 0
domiftune test testnet0 --inbound 0,1,2
domiftune test testnet0 --inbound 1,2,3,4
domiftune test testnet0
domiftune test testnet0 --config
domiftune test nosuch
domiftune test nosuch --inbound 10
cpu-stats test
cpu-stats test --total
cpu-stats test --start 1 --count 2
cpu-stats test --start 7
perf test
perf test --enable cmt,cpu_cycles
perf test --disable cmt --config
perf test --enable nosuch
perf test
perf test --config
setmem test 1000
dominfo test
setmem test 90000000
setmem test 1000 --config
setmem test 2000 --live --config
setmaxmem test 9000000
setmaxmem test 9000000 --config
setmaxmem test 500 --config
dumpxml test
dumpxml test --inactive
dommemstat test --period 5
dommemstat test --period 5 --config
dommemstat test --period 5 --config --live
iothreadinfo test
iothreadadd test 1
iothreadadd test 1
iothreadadd test 0
iothreadinfo test
iothreadinfo test --config
iothreadpin test 1 0-1
iothreadpin test 3 0-1
iothreadset test 1 --poll-max-ns 5
iothreadset test 1 --poll-grow 5 --poll-shrink 2
iothreadset test 1 --thread-pool-min 2
iothreadset test 1 --poll-max-ns 5 --config
iothreadset test 9 --poll-max-ns 5
domstats --iothread
domstats
iothreaddel test 1
iothreaddel test 1
iothreadinfo test
domblkinfo test vda
domblkinfo test nosuch
domblkinfo test --all
domblkinfo test --all --human
domblkerror test
inject-nmi test
send-key test KEY_A
send-key test 600
send-key test --codeset usb 4
send-process-signal test 1 term
send-process-signal test 2 term
send-process-signal test 1 99
set-lifecycle-action test crash coredump-restart
set-lifecycle-action test poweroff restart
set-lifecycle-action test reboot coredump-destroy
set-lifecycle-action test crash preserve --config
set-lifecycle-action test reboot destroy --live --config
domlaunchsecinfo test
domsetlaunchsecstate test --secrethdr /nosuch --secret /nosuch
screenshot test {folder}/shot
cpu-baseline {folder}/cpu.xml
cpu-baseline {folder}/cpu.xml --features
cpu-baseline {folder}/none.xml
domfsinfo test
domifaddr test
domhostname test
domtime test
get-user-sshkeys test x
guestinfo test
domcontrol test
dommemstat test
domrename test other
managedsave test
domstate test --reason
domrename test other
list --all
managedsave-dumpxml other
managedsave-remove other
start other
domrename other test
destroy other
schedinfo other
vcpupin other
vcpupin other 0 1
vcpuinfo other
emulatorpin other 1
setmem other 300
setvcpus other 1
cpu-stats other
domblkerror other
domblkinfo other vda
inject-nmi other
send-key other KEY_A
send-process-signal other 1 term
iothreadadd other 3
iothreadinfo other
dumpxml other
domdisplay other
vncdisplay other
attach-disk other /x vdb
detach-disk other vda
qemu-monitor-command other info
domjobinfo other
domjobabort other
domblkthreshold other vda 3
blockresize other vda 3
blockcommit other vda
"""

SNAPSHOTS = """
snapshot-current test
snapshot-list test
snapshot-list test --tree
snapshot-create-as test s1 'first one'
snapshot-create-as test s2
snapshot-create-as test S3 --description x
snapshot-list test --name
snapshot-list test --name --topological
snapshot-list test --tree
snapshot-list test --roots --name
snapshot-list test --leaves --name
snapshot-list test --no-leaves --name
snapshot-list test --from s1 --name
snapshot-list test --from s1 --descendants --name
snapshot-list test --current --name
snapshot-list test --from s1 --tree
snapshot-list test --from s1 --tree --descendants
snapshot-list test --from s1 --current
snapshot-list test --tree --name
snapshot-list test --tree --parent
snapshot-list test --tree --leaves
snapshot-list test --roots --parent
snapshot-list test --roots --from s1
snapshot-list test --roots --current
snapshot-list test --descendants
snapshot-list test --from nosuch
snapshot-list test --metadata --name
snapshot-list test --no-metadata --name
snapshot-list test --active --name
snapshot-list test --inactive --name
snapshot-list test --disk-only --name
snapshot-list test --internal --name
snapshot-list test --external --name
snapshot-list nosuch
snapshot-current test --name
snapshot-current test --name --snapshotname s1
snapshot-current test s1
snapshot-current test --name
snapshot-current test nosuch
snapshot-info test s2
snapshot-info test --current
snapshot-info test s2 --current
snapshot-info test
snapshot-info test nosuch
snapshot-parent test s2
snapshot-parent test s1
snapshot-parent test --current
snapshot-parent test
snapshot-dumpxml test nosuch
snapshot-dumpxml test
snapshot-dumpxml test s1 --xpath /domainsnapshot/name
snapshot-dumpxml test s1 --xpath //name --wrap
snapshot-revert test s1
snapshot-revert test s1 --paused
domstate test
snapshot-revert test s1 --running
snapshot-revert test s1 --running --paused
snapshot-revert test s1 --force
snapshot-revert test
snapshot-revert test nosuch
snapshot-revert test s1 --current
snapshot-create-as test s4 --diskspec vda,snapshot=no --print-xml
snapshot-create-as test s4 --diskspec vda,snapshot=external,driver=qcow2,stype=file,file=/a --diskspec vdb --print-xml
snapshot-create-as test s4 --diskspec vda,stype=block,file=/dev/x,,y --print-xml
snapshot-create-as test s4 --diskspec vda,stype=nosuch --print-xml
snapshot-create-as test s4 --diskspec vda,snapshot=no,snapshot=no --print-xml
snapshot-create-as test s4 --diskspec vda,nosuch=no --print-xml
snapshot-create-as test s4 --diskspec vda,no --print-xml
snapshot-create-as test s4 --diskspec vda,file= --print-xml
snapshot-create-as test s4 --memspec /x/y,snapshot=external --print-xml
snapshot-create-as test s4 --memspec file=/x/y --print-xml
snapshot-create-as test s4 --memspec x --print-xml
snapshot-create-as test s4 --memspec /x,/y --print-xml
snapshot-create-as test 'a<b' "it's" --print-xml
snapshot-create-as test --print-xml
snapshot-create-as test '' --print-xml
snapshot-create-as test s1
snapshot-create-as test s4 --no-metadata
snapshot-create-as test s4 --halt
domstate test
start test
snapshot-create-as test s5 --disk-only
snapshot-create-as test s5 --live
snapshot-create-as test s5 --quiesce
snapshot-create-as test s6 --atomic
snapshot-create-as test s7 --validate
snapshot-create test /proc/nonexistent
snapshot-create test /etc/hostname
snapshot-create test --redefine
snapshot-create test --current
snapshot-list test --tree
list --with-snapshot
list --without-snapshot --all
snapshot-delete test s2 --children-only
snapshot-delete test s2 --metadata
snapshot-delete test nosuch
snapshot-delete test
snapshot-delete test s1 --current
snapshot-delete test s1 --children --children-only
snapshot-list test --name
snapshot-delete test s1 --children
snapshot-delete test --current
snapshot-list test --name
destroy test
start test
checkpoint-list test --tree --leaves
checkpoint-list test --descendants
checkpoint-create-as test c1 --diskspec vda,checkpoint=bitmap,bitmap=b --print-xml
checkpoint-create-as test c1 --diskspec vda,foo --print-xml
checkpoint-create-as test c1 --diskspec vda,,b,checkpoint=no --print-xml
snapshot-create-as nosuch x
snapshot-create-as test z --diskspec vda,snapshot=external
snapshot-create-as test z --diskspec vda,snapshot=manual
snapshot-create-as test z --diskspec vdz
snapshot-create-as test z --memspec /x
snapshot-list test --name
"""

CHECKPOINTS = """
checkpoint-list test
checkpoint-create-as test c1
checkpoint-create-as test c2 --diskspec vda,checkpoint=bitmap,bitmap=other
checkpoint-create-as test c3 --quiesce
checkpoint-create-as test c3
checkpoint-create-as test c4 --diskspec vdz
checkpoint-create-as test c4 --diskspec vda,checkpoint=no
checkpoint-create test --redefine
checkpoint-create test --redefine --redefine-validate
checkpoint-list test --tree
checkpoint-list test --name
checkpoint-list test --from c1 --descendants --name
checkpoint-list test --leaves --name
checkpoint-dumpxml test c1
checkpoint-info test c2
checkpoint-parent test c2
checkpoint-parent test c1
checkpoint-parent test nosuch
snapshot-create-as test s1
list --with-checkpoint
undefine test
list
checkpoint-delete test c2 --metadata
checkpoint-list test --tree
checkpoint-delete test c1 --children-only
checkpoint-list test --tree
checkpoint-delete test c1
snapshot-create-as test s1
checkpoint-create-as test c1
snapshot-list test --name
snapshot-revert test s1
snapshot-dumpxml test s1
domrename test z
destroy test
domrename test z
snapshot-list z --name
domrename z test
list --all
undefine test
undefine test --snapshots-metadata
list --all
"""

LIFE = """
list --all
domstate test --reason
dominfo test
autostart test
dominfo test
autostart test --disable
suspend test
domstate test --reason
suspend test
list
resume test
resume test
reboot test
reset test
desc test words
desc test
metadata test http://x --key k --set <a/>
metadata test http://x
domblkstat test nosuch
domifstat test nosuch
domblkstat test
save test {folder}/saved
list --all
save-image-dumpxml {folder}/saved
restore {folder}/saved
restore {folder}/saved
domstate test --reason
dump test {folder}/dump
dump test {folder}/dump --memory-only --format kdump-zlib
dump test {folder}/dump --crash
domstate test --reason
start test --paused
start test
domstate test --reason
destroy test
start test --pass-fds 0
managedsave test --bypass-cache
domstate test --reason
undefine test
start test
domstate test --reason
shutdown test
domstate test --reason
destroy test
define {folder}/guest.xml
define {folder}/other.xml
define {folder}/rich.xml
dumpxml rich
start rich
dumpxml rich
domblklist rich
domiflist rich
destroy rich
start other
domfsfreeze other
domfsfreeze other
domfsthaw other
domfstrim other
domfsinfo other
domifaddr other
domtime other
domtime other --time 5
domtime other
domhostname other
set-user-password other root secret
setvcpus other 2 --live
vcpucount other
iothreadinfo other
vcpupin other
memtune other
numatune other
dumpxml other
destroy other
undefine other
create {folder}/other.xml
snapshot-create-as other s1
snapshot-create-as other s2 --halt
snapshot-revert other s1
domstate other --reason
snapshot-revert other s1 --paused
domstate other --reason
destroy other
list --all
"""

OTHER = """<domain type='test'><name>other</name><uuid>4dea22b3-1d52-d8f3-2516-782e98ab3fa0</uuid>
<memory>65536</memory><vcpu cpuset='2-3' current='1'>4</vcpu><iothreads>2</iothreads>
<os><type>hvm</type></os>
<devices><disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/a.img'/>
<target dev='vda'/></disk>
<disk type='file' device='cdrom'><target dev='hdc'/></disk></devices></domain>
"""
#: What most hypervisors do, and neither of these, in the same words; and what else can be looked at.
THE_REST = """
attach-interface test network default
attach-device test {folder}/cpu.xml
blockcopy test vda /x
blockjob test vda
blockpull test vda
change-media test hdc --eject
detach-device test {folder}/cpu.xml
detach-device-alias test x
detach-interface test network
domid test
domif-setlink test testnet0 down
domif-getlink test testnet0
domname 1
dompmsuspend test mem
dompmwakeup test
domuuid test
domxml-from-native qemu-argv {folder}/cpu.xml
domxml-to-native qemu-argv test
managedsave-define test {folder}/cpu.xml
migrate-setmaxdowntime test 5
migrate-getmaxdowntime test
migrate-compcache test
migrate-setspeed test 5
migrate-getspeed test
migrate-postcopy test
qemu-attach 1
qemu-monitor-event test --timeout 1
qemu-agent-command test x
guest-agent-timeout test
save-image-define {folder}/nosuch {folder}/rich.xml
set-user-sshkeys test root --reset
ttyconsole test
update-device test {folder}/cpu.xml
update-memory-device test --requested-size 5
guestvcpus test
domdirtyrate-calc test
backup-begin test
backup-dumpxml test
allocpages 2048 1
capabilities
cpu-compare {folder}/cpu.xml
domcapabilities
hypervisor-cpu-baseline {folder}/cpu.xml
hypervisor-cpu-compare {folder}/cpu.xml
node-memory-tune
nodecpumap
nodesevinfo
nodesuspend mem 60
console test
"""

#: Devices of every kind that something is added to.
RICH = """<domain type='test'><name>rich</name><uuid>4dea22b3-1d52-d8f3-2516-782e98ab3fa1</uuid>
<memory>65536</memory><vcpu>4</vcpu>
<os><type>hvm</type></os>
<devices>
<disk type='file' device='disk'><source file='/b.img'/><target dev='sda'/></disk>
<disk type='file' device='disk'><source file='/a.img'/><target dev='vdb'/></disk>
<disk type='block' device='disk'><source dev='/dev/x'/><target dev='vda'/></disk>
<disk type='file' device='floppy'><target dev='fda'/></disk>
<disk type='file' device='cdrom'><target dev='hdc'/></disk>
<disk type='file' device='disk'><source file='/c.img'/><target dev='sdb' bus='sata'/></disk>
<interface type='network'><mac address='52:54:00:00:00:01'/><source network='default'/></interface>
<interface type='bridge'><mac address='52:54:00:00:00:02'/><source bridge='br0'/><target dev='x'/></interface>
<interface type='user'><mac address='52:54:00:00:00:03'/><model type='e1000'/></interface>
<serial type='pty'/><console type='pty'/><channel type='unix'><target type='virtio' name='a'/></channel>
<input type='tablet'/><graphics type='vnc'/><video/><sound model='ac97'/>
<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
<memballoon model='virtio'/><watchdog model='i6300esb'/>
<hostdev mode='subsystem' type='pci'><source><address bus='1'/></source></hostdev>
<filesystem type='mount'><source dir='/a'/><target dir='b'/></filesystem>
</devices></domain>
"""
CPU = "<cpu><arch>x86_64</arch><model>Penryn</model><feature name='aes'/></cpu>"


class Difference(NamedTuple):
    """before: what leads to it."""

    words: str
    reason: str
    before: Sequence[str] = ()


#: What ours does otherwise, on purpose.
DIFFERENCES = [
    Difference("freepages --all", "libvirt fails and does not say why; ours says that it cannot"),
    Difference("dominfo test", "a domain that does not run uses no processor time", ["destroy test"]),
    Difference("vcpupin test 0 1 --live", "--live is what pinning without options means"),
    Difference("send-key test --codeset win32 1", "no keyboard has that key"),
    Difference("checkpoint-dumpxml test c --size", "who asks for sizes gets them", ["checkpoint-create-as test c"]),
    Difference(
        "memtune test --live",
        "the question how many limits there are says already that the domain does not run",
        ["destroy test"],
    ),
    Difference("domstats --iothread", "a thread of the definition alone does not run", ["iothreadadd test 7 --config"]),
    Difference(
        "domstate test",
        "a domain that is said to have started has done so",
        ["destroy test", "snapshot-create-as test s", "snapshot-revert test s --running"],
    ),
]


@pytest.fixture(scope="module")
def daemon() -> Iterator[RoostDaemon]:
    with RoostDaemon() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "other.xml").write_text(OTHER)
    (tmp_path / "guest.xml").write_text(OTHER.replace("other", "guest").replace("4dea", "4deb"))
    (tmp_path / "rich.xml").write_text(RICH)
    (tmp_path / "cpu.xml").write_text(CPU)
    return tmp_path


def play(uri: str, scenes: Sequence[str]) -> list[tuple[str, Outcome]]:
    """What virsh says, in a world that lives as long as somebody is connected with it."""
    with closing(Client.open(uri)):
        return [(scene, steady(virsh("-c", uri, *shlex.split(scene)))) for scene in scenes]


def steady(outcome: Outcome) -> Outcome:
    """Without the time, and without the cure that ours adds to a cause."""
    out = re.sub(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", outcome.out)
    out = re.sub(r"<creationTime>\d+<", "<creationTime>N<", out)
    out = re.sub(r"(CPU time: +)[\d.]+s", r"\1Ns", out)
    return outcome._replace(out=out, err=re.sub(r"; .*", "", outcome.err))


@pytest.mark.parametrize("story", [LOOKING_AND_TUNING, SNAPSHOTS, CHECKPOINTS, LIFE, THE_REST])
def test_the_same(peer: Peer, daemon: RoostDaemon, folder: Path, story: str) -> None:
    scenes = [line.format(folder=folder) for line in lines(story)]
    theirs, ours = (play(uri, scenes) for uri in (in_test_driver(peer), daemon.uri_of("test", "default")))
    for expected, found in zip(theirs, ours, strict=True):
        assert found == expected


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda each: each.words)
def test_the_differences_are_there(peer: Peer, daemon: RoostDaemon, difference: Difference) -> None:
    scenes = [*difference.before, difference.words]
    theirs, ours = (play(uri, scenes) for uri in (in_test_driver(peer), daemon.uri_of("test", "default")))
    assert ours[-1] != theirs[-1], "no longer different: move it to the stories"


#: One after the other, of the domain `d` of the connection `c`.
REFUSALS = """
d.pinEmulator((False,)*8, 0)
d.pinVcpu(7, (True,)*8)
d.addIOThread(0, 0)
d.delIOThread(9, 0)
d.pinIOThread(9, (True,)*8, 0)
d.setIOThreadParams(9, {'poll_grow': 3}, 0)
d.setVcpusFlags(3, L)
d.setVcpusFlags(40, L)
d.setVcpusFlags(4, L|C|4)
d.setMemoryFlags(99999999, L)
d.setMaxMemory(5)
d.setNumaParameters({'numa_mode': 9}, 0)
d.setNumaParameters({'numa_nodeset': '0'}, L)
d.setNumaParameters({'numa_mode': 2}, L)
d.setNumaParameters({'numa_nodeset': 'x'}, 0)
d.setBlkioParameters({'device_weight': '/a'}, 0)
d.setBlkioParameters({'device_weight': '/a,x'}, 0)
d.setBlockIoTune('nosuch', {'total_bytes_sec': 1}, 0)
d.blockIoTune('nosuch', 0)
d.setBlockIoTune('vda', {'total_bytes_sec': 1, 'read_bytes_sec': 1}, 0)
d.setBlockIoTune('vda', {'total_bytes_sec': 1}, 0)
d.setBlockIoTune('vda', {'total_bytes_sec': 10**16}, 0)
d.setInterfaceParameters('nosuch', {'inbound.average': 1}, 0)
d.memoryParameters(L|C)
d.setLifecycleAction(1, 4, 0)
d.setLifecycleAction(9, 4, 0)
d.snapshotLookupByName('nosuch')
d.snapshotCurrent()
d.snapshotCreateXML('<domainsnapshot/>', 16)
d.snapshotCreateXML('<foo/>', 0)
d.snapshotCreateXML("<domainsnapshot><disks><disk name='vdz'/></disks></domainsnapshot>", 0)
d.snapshotCreateXML("<domainsnapshot><name>a</name></domainsnapshot>", 1)
d.snapshotCreateXML("<domainsnapshot><disks><disk name='vda' snapshot='manual'/></disks></domainsnapshot>", 0)
d.checkpointLookupByName('nosuch')
d.checkpointCreateXML('<foo/>', 0)
d.sendKey(0, 0, [60000], 1, 0)
d.sendKey(77, 0, [1], 1, 0)
d.sendProcessSignal(2, 15, 0)
d.sendProcessSignal(1, 99, 0)
d.blockInfo('nosuch')
c.getCPUModelNames('nosuch')
c.baselineCPU(['<cpu/>'], 0)
d.rename('x')
d.destroy()
d.setMemoryStatsPeriod(3, L)
d.getCPUStats(True)
d.pinVcpu(0, (True,)*8)
d.vcpus()
d.injectNMI()
d.diskErrors()
d.rename('test')
d.rename('a/b')
d.checkpointCreateXML('<domaincheckpoint/>', 0)
"""

BINDING = """
L, C = libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CONFIG
c = libvirt.open(sys.argv[1])
d = c.lookupByName("test")
found = []
for line in sys.argv[2].splitlines():
    try:
        eval(line or "None")
        found.append((line, "accepted"))
    except libvirt.libvirtError as error:
        message = error.get_error_message().partition("; ")[0]
        found.append((line, error.get_error_code(), error.get_error_domain(), message))
print(json.dumps(found))
"""


def test_refusals_through_the_binding(peer: Peer, daemon: RoostDaemon) -> None:
    uris = in_test_driver(peer), daemon.uri_of("test", "default")
    theirs, ours = (libvirt_result(BINDING, uri, REFUSALS) for uri in uris)
    for expected, found in zip(theirs, ours, strict=True):
        assert found == expected
    assert sum(len(each) == 4 for each in ours) > 40
