"""What bounds a running guest, seen from the host and from inside."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from glob import glob
from pathlib import Path

import pytest

from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.constants import statistics as S
from roost.contract.domains import Domains, Lifecycle
from roost.contract.references import DomainRef
from roost.contract.statistics import Statistics
from roost.contract.tuning import DeviceLimits, Pinning
from roost.contract.typed_params import string
from roost.errors import OperationFailed, OperationInvalid, RoostError
from roost.host.linux.cgroups import LinuxControlGroups
from support.daemon import RoostDaemon
from support.guests import domain_xml
from support.peer import in_chroot, propagation, virsh, virsh_ok
from support.world import World, run, world_root

pytestmark = [pytest.mark.groups, pytest.mark.guest, pytest.mark.root]

SMALL = """<domain type='qemu'><name>t-{name}</name><memory unit='MiB'>64</memory>{extra}
<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>"""


def test_memory_that_is_locked_and_places_that_numad_chooses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numad = tmp_path / "numad"
    numad.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\necho 0\n')
    numad.chmod(0o755)

    async def scenario(world: World) -> None:
        async def start(name: str, extra: str) -> DomainRef:
            ref: DomainRef = await world.get(Domains).create_xml(SMALL.format(name=name, extra=extra), 0)
            return ref

        locked = "<memoryBacking><locked/></memoryBacking><vcpu>1</vcpu>"
        with pytest.raises(RoostError, match=r"MEMLOCK resource limit: Operation not permitted; .*CAP_SYS_RESOURCE"):
            await start("locked", locked)
        with pytest.raises(OperationFailed, match="Failed to query numad for the advisory nodeset; install numad"):
            await start("auto", "<vcpu placement='auto'>2</vcpu>")
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        ref = await start("auto", "<vcpu placement='auto'>2</vcpu>")
        assert (tmp_path / "asked").read_text() == "-w 2:64\n"
        guest = world.driver._context.table.get(ref).runtime
        assert guest is not None
        assert guest.facts.advice == {0}
        assert "<vcpu placement='auto'>2</vcpu>" in world.get(Domains).describe(ref, 0)

    with world_root() as root:
        run(root, scenario)


NAME = f"bounded{os.getpid()}"
DOCUMENT = f"""<domain type='qemu'><name>{NAME}</name><memory unit='MiB'>64</memory>
<vcpu>2</vcpu><iothreads>1</iothreads>
<cputune><shares>500</shares><quota>40000</quota><vcpupin vcpu='1' cpuset='0'/><vcpusched vcpus='0' scheduler='batch'/>
<iothreadpin iothread='1' cpuset='0'/></cputune>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices/></domain>"""


@pytest.fixture
def root() -> Iterator[Path]:
    with world_root() as made:
        yield made


def needs_controllers() -> None:
    groups = LinuxControlGroups()
    if not all(groups.has(each) for each in ("cpu", "cpuset", "memory")):
        pytest.skip("no controllers are mounted here")


def group_directories() -> list[Path]:
    """Those of the guest, of either version; other tests' come and go meanwhile."""
    return [Path(found) for root in ("", "*/") for found in glob(f"/sys/fs/cgroup/{root}machine/*{NAME}*")]


def threads(pid: int) -> dict[str, Path]:
    """By the names QEMU gives them."""
    return {(path / "comm").read_text().strip(): path for path in Path(f"/proc/{pid}/task").iterdir()}


def pid_of(daemon: RoostDaemon) -> int:
    return int(next(daemon.root.rglob(f"{NAME}.pid")).read_text())


@pytest.fixture
def document(tmp_path: Path) -> str:
    path = tmp_path / "guest.xml"
    path.write_text(DOCUMENT)
    return str(path)


def test_threads_are_where_the_document_wants_them(document: str) -> None:
    needs_controllers()
    with RoostDaemon() as daemon:
        virsh_ok(daemon.uri, "create", document, "--paused")
        found = threads(pid_of(daemon))
        first, second = found["CPU 0/TCG"], found["CPU 1/TCG"]
        assert f"/machine/qemu-1-{NAME}.libvirt-qemu/vcpu0" in (first / "cgroup").read_text()
        assert os.sched_getscheduler(int(first.name)) == os.SCHED_BATCH
        assert os.sched_getaffinity(int(second.name)) == {0}
        assert os.sched_getaffinity(int(found["IO iothread1"].name)) == {0}
        assert "/emulator" in (found["qemu-system-x86"] / "cgroup").read_text()
        virsh_ok(daemon.uri, "destroy", NAME)
        assert not group_directories()


def test_a_new_daemon_goes_on_with_the_group(document: str) -> None:
    needs_controllers()
    with RoostDaemon() as daemon:
        virsh_ok(daemon.uri, "create", document, "--paused")
        virsh_ok(daemon.uri, "schedinfo", NAME, "--set", "vcpu_quota=30000", "--live")
        daemon.kill()
        daemon.start()
        assert "vcpu_quota     : 30000" in virsh_ok(daemon.uri, "schedinfo", NAME)
        virsh_ok(daemon.uri, "memtune", NAME, "--hard-limit", "300000", "--live")
        (limit,) = (path for path in group_directories() if "memory" in path.parts)
        assert (limit / "memory.limit_in_bytes").read_text().strip() == str(300000 * 1024)
        virsh_ok(daemon.uri, "iothreadpin", NAME, "1", "1")
        assert os.sched_getaffinity(int(threads(pid_of(daemon))["IO iothread1"].name)) == {1}
        assert "<quota>30000</quota>" in virsh_ok(daemon.uri, "dumpxml", NAME)
        virsh_ok(daemon.uri, "destroy", NAME)
        assert not group_directories()


@pytest.mark.skipif(shutil.which("swtpm") is None, reason="swtpm is not installed")
@pytest.mark.skipif(in_chroot(), reason="virtiofsd makes itself a root of its own, which a chroot does not let it")
def test_processes_beside_qemu_are_bounded_as_its_emulator_is(root: Path) -> None:
    needs_controllers()
    if not any(os.access(path, os.X_OK) for path in ("/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd")):
        pytest.skip("virtiofsd is not installed")
    shared = root / "shared"
    shared.mkdir()
    xml = f"""<domain type='qemu'><name>{NAME}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>
<cputune><emulatorpin cpuset='0'/></cputune><os><type arch='x86_64' machine='q35'>hvm</type></os><devices>
<filesystem><driver type='virtiofs'/><source dir='{shared}'/><target dir='shared'/></filesystem>
<tpm><backend type='emulator' version='2.0'/></tpm></devices></domain>"""
    document = root / "guest.xml"
    document.write_text(xml)

    def beside() -> dict[str, set[int]]:
        """Of each program in the group the processors that it may run on."""
        (cpuset,) = (path for path in group_directories() if "cpuset" in path.parts)
        pids = [int(pid) for pid in (cpuset / "emulator" / "cgroup.procs").read_text().split()]
        return {Path(f"/proc/{pid}/comm").read_text().strip(): os.sched_getaffinity(pid) for pid in pids}

    with RoostDaemon() as daemon:
        virsh_ok(daemon.uri, "create", str(document), "--paused")
        programs = {"qemu-system-x86", "swtpm", "virtiofsd"}
        assert beside() == {program: {0} for program in programs}
        daemon.kill()
        daemon.start()
        virsh_ok(daemon.uri, "emulatorpin", NAME, "1", "--live")
        assert beside() == {program: {1} for program in programs}
        virsh_ok(daemon.uri, "destroy", NAME)
        assert not group_directories()


def test_a_host_without_control_groups(tmp_path: Path) -> None:
    path = tmp_path / "plain.xml"
    path.write_text(DOCUMENT.replace("<shares>500</shares><quota>40000</quota>", ""))
    hide = ("unshare", "--mount", *propagation(), "sh", "-c", 'umount -l -R /sys/fs/cgroup; exec "$@"', "sh")
    with RoostDaemon(prefix=hide) as daemon:
        virsh_ok(daemon.uri, "create", str(path), "--paused")
        virsh_ok(daemon.uri, "vcpupin", NAME, "1", "1")
        assert os.sched_getaffinity(int(threads(pid_of(daemon))["CPU 1/TCG"].name)) == {1}
        refused = virsh(daemon.uri, "memtune", NAME, "--hard-limit", "300000", "--live")
        assert "Requested operation is not valid: cgroup memory controller is not mounted" in refused.stderr
        assert "cgroup CPU controller is not mounted" in virsh(daemon.uri, "schedinfo", NAME).stderr
        virsh_ok(daemon.uri, "destroy", NAME)
        path.write_text(DOCUMENT)
        started = virsh(daemon.uri, "create", str(path))
        assert "CPU tuning is not available on this host" in started.stderr


def test_counters_are_kept_again_by_a_new_daemon(document: str) -> None:
    with RoostDaemon() as daemon:
        virsh_ok(daemon.uri, "create", document, "--paused")
        enabled = virsh(daemon.uri, "perf", NAME, "--enable", "page_faults,context_switches")
        if not enabled.ok:
            pytest.skip(f"nothing is counted here: {enabled.stderr}")
        daemon.kill()
        daemon.start()
        virsh_ok(daemon.uri, "perf", NAME, "--disable", "context_switches")
        virsh_ok(daemon.uri, "resume", NAME)
        events = virsh_ok(daemon.uri, "dumpxml", NAME)
        assert "<event name='page_faults' enabled='yes'/>" in events
        assert "<event name='context_switches' enabled='no'/>" in events
        counted = virsh_ok(daemon.uri, "domstats", "--perf", NAME)
        assert "perf.page_faults=" in counted
        assert "perf.context_switches=" not in counted
        virsh_ok(daemon.uri, "destroy", NAME)


def test_the_guest_gives_memory_back(root: Path) -> None:
    async def scenario(world: World) -> None:
        limits = world.get(DeviceLimits)
        ref = await world.get(Domains).create_xml(domain_xml(NAME), 0)
        stream = await world.booted(ref)
        await limits.set_memory_stats_period(ref, 1, D.AFFECT_LIVE)
        await limits.set_memory(ref, 96 * 1024, D.AFFECT_LIVE)
        await world.seen(E.ID_BALLOON_CHANGE, 96 * 1024)
        found = dict(await world.get(Statistics).memory_stats(ref, 20, 0))
        assert found[S.MEMORY_STAT_ACTUAL_BALLOON] == 96 * 1024
        stream.abort()
        await world.get(Lifecycle).destroy(ref, 0)

    run(root, scenario)


def test_subscribers_are_told(root: Path) -> None:
    async def scenario(world: World) -> None:
        ref = await world.get(Domains).define(DOCUMENT, 0)
        await world.get(Lifecycle).create(ref, D.START_PAUSED)
        pinning = world.get(Pinning)
        await pinning.pin_vcpu(ref, 0, frozenset((1,)), D.AFFECT_LIVE)
        assert world.events[-1] == (E.ID_TUNABLE, (string("cputune.vcpupin0", "1"),))
        assert pinning.vcpu_pins(ref, 0) == [{1}, {0}]
        await world.get(Lifecycle).destroy(ref, 0)
        with pytest.raises(OperationInvalid, match="domain is not running"):
            await pinning.pin_vcpu(ref, 0, frozenset((1,)), D.AFFECT_LIVE)

    run(root, scenario)


def test_many_clients_pin_at_once(root: Path) -> None:
    """Changes take turns: what the document says in the end is how the thread runs."""

    async def scenario(world: World) -> None:
        ref = await world.get(Domains).create_xml(DOCUMENT, D.START_PAUSED)
        pinning = world.get(Pinning)
        await asyncio.gather(
            *(pinning.pin_vcpu(ref, 0, frozenset((number % 2,)), D.AFFECT_LIVE) for number in range(200))
        )
        (first, _) = pinning.vcpu_places(ref)
        assert first.affinity == pinning.vcpu_pins(ref, 0)[0] == {1}

    run(root, scenario)


def test_a_guest_that_dies_during_a_change(root: Path) -> None:
    async def scenario(world: World) -> None:
        ref = await world.get(Domains).define(DOCUMENT, 0)
        await world.get(Lifecycle).create(ref, 0)
        pid = int((root / "run" / "qemu" / f"{NAME}.pid").read_text())
        os.kill(pid, signal.SIGSTOP)
        change = asyncio.ensure_future(world.get(DeviceLimits).set_memory(ref, 32 * 1024, D.AFFECT_LIVE))
        await asyncio.sleep(0.1)
        # What looks does not wait for the job.
        assert world.get(Pinning).vcpu_pins(ref, 0)[1] == {0}
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(RoostError, match="monitor"):
            await change
        await world.seen(E.ID_LIFECYCLE, E.STOPPED, E.STOPPED_FAILED)
        assert not group_directories()
        await world.get(DeviceLimits).set_memory(ref, 32 * 1024, D.AFFECT_CONFIG)

    run(root, scenario)


def test_memory_nodes_of_a_running_guest(tmp_path: Path) -> None:
    needs_controllers()
    path = tmp_path / "restrictive.xml"
    path.write_text(DOCUMENT.replace("<os>", "<numatune><memory mode='restrictive' nodeset='0'/></numatune><os>"))
    with RoostDaemon() as daemon:
        virsh_ok(daemon.uri, "create", str(path), "--paused")
        virsh_ok(daemon.uri, "numatune", NAME, "--nodeset", "0", "--live")
        places = [path / "vcpu0" / "cpuset.mems" for path in group_directories() if "cpuset" in path.parts]
        assert [place.read_text().strip() for place in places] == ["0"]
        refused = virsh(daemon.uri, "numatune", NAME, "--nodeset", "500", "--live")
        assert "NUMA node 500 is unavailable" in refused.stderr
        virsh_ok(daemon.uri, "destroy", NAME)


@pytest.mark.skipif(shutil.which("tc") is None, reason="iproute2 is not installed")
def test_bandwidth_of_a_running_guest(tmp_path: Path) -> None:
    tap = f"tn{os.getpid() % 10**9}"
    path = tmp_path / "bandwidth.xml"
    interface = f"<interface type='ethernet'><mac address='52:54:00:0a:0b:0c'/><target dev='{tap}'/></interface>"
    path.write_text(DOCUMENT.replace("<devices/>", f"<devices>{interface}</devices>"))

    def shaping(what: str) -> str:
        return subprocess.run(["tc", what, "show", "dev", tap], capture_output=True, text=True, check=True).stdout

    with RoostDaemon() as daemon:
        virsh_ok(daemon.uri, "create", str(path), "--paused")
        changed = virsh(daemon.uri, "domiftune", NAME, tap, "--inbound", "1000,2000", "--live")
        if "qdisc kind is unknown" in changed.stderr:
            pytest.skip("this kernel does not shape traffic")
        assert changed.ok, changed.stderr
        assert "rate 8Mbit ceil 16Mbit" in shaping("class")
        assert "inbound.peak   : 2000" in virsh_ok(daemon.uri, "domiftune", NAME, tap)
        # Many small kernels cannot police what comes in: then all is as it was.
        outbound = virsh(daemon.uri, "domiftune", NAME, tap, "--outbound", "500", "--live")
        shown = "500" if outbound.ok else "0"
        assert f"outbound.average: {shown}\n" in virsh_ok(daemon.uri, "domiftune", NAME, tap)
        assert "rate 8Mbit ceil 16Mbit" in shaping("class")
        virsh_ok(daemon.uri, "domiftune", NAME, "52:54:00:0a:0b:0c", "--inbound", "0", "--outbound", "0")
        assert "htb" not in shaping("qdisc")
        assert "<bandwidth>" not in virsh_ok(daemon.uri, "dumpxml", NAME)
        virsh_ok(daemon.uri, "destroy", NAME)
