"""Parts of caches for the processors of a real guest, up to the kernel, which has nothing to give on most machines.

Where resctrl is a directory made like it, what is written there is seen; what the kernel makes of it is not. Only KVM
guests may ask for parts of caches, and KVM is not everywhere: one of QEMU's own emulation is given the groups instead.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from roost.constants import domain as D
from roost.constants import statistics as S
from roost.contract.domains import Domains, Lifecycle
from roost.contract.references import DomainRef
from roost.contract.statistics import Statistics
from roost.drivers.qemu.tuning import resctrl
from roost.drivers.qemu.tuning.schemata import Place, Wanted
from roost.errors import ConfigUnsupported, From
from roost.host.api import HostCache
from roost.host.linux.hardware import LinuxHardware
from roost.host.linux.resctrl import LinuxResourceControl
from roost.model.domain import Domain
from support.world import World, run, world_root

pytestmark = [pytest.mark.guest, pytest.mark.root]

SMALL = """<domain type='qemu'><name>t-caches</name><memory unit='MiB'>64</memory><vcpu>2</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>"""


class MadeResourceControl(LinuxResourceControl):
    """A directory of the kernel's goes with the files in it; others must be emptied."""

    def remove(self, path: str) -> None:
        shutil.rmtree(self._root / path, ignore_errors=True)


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> resctrl.TaskGroup:
    """What every guest asks for: 2 MiB of a cache for its second processor, which is watched."""
    wanted = Wanted({Place(3, "both", 0): 2 << 20}, {})
    made = resctrl.TaskGroup("1", wanted, (resctrl.Monitor(resctrl.CACHE, "1"),))

    def task_groups(live: Domain) -> list[resctrl.TaskGroup]:
        return [made]

    monkeypatch.setattr(resctrl, "task_groups", task_groups)
    return made


@pytest.mark.usefixtures("group")
@pytest.mark.skipif(Path("/sys/fs/resctrl/info").exists(), reason="this host has resctrl: nothing is refused")
def test_a_host_without() -> None:
    async def scenario(world: World) -> None:
        words = r"not supported on this host; mount -t resctrl .*CONFIG_X86_CPU_RESCTRL"
        with pytest.raises(ConfigUnsupported, match=words) as caught:
            await world.get(Domains).create_xml(SMALL, 0)
        assert caught.value.domain == From.RESCTRL
        assert not world.get(Domains).list_all(0)

    with world_root() as root:
        run(root, scenario)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for path, text in {
        "schemata": "L3:0=03\n",
        "info/L3/cbm_mask": "ff",
        "info/L3/min_cbm_bits": "1",
        "info/L3/num_closids": "8",
        "info/L3_MON/num_rmids": "8",
        "info/L3_MON/mon_features": "llc_occupancy",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.setattr(LinuxHardware, "_resctrl", tmp_path / "info")
    monkeypatch.setattr(LinuxHardware, "caches", lambda hardware: [HostCache(0, 3, "both", 8192, "0")])
    return tmp_path


def give(world: World, tree: Path) -> None:
    world.driver._context.host.resource_control = MadeResourceControl(tree)  # type: ignore[misc]


async def tells(world: World, ref: DomainRef) -> None:
    params = dict((await world.get(Statistics).all_stats([ref], S.CPU_TOTAL, 0))[0][1])
    assert params["cpu.cache.monitor.0.name"][1] == "vcpus_1"
    assert params["cpu.cache.monitor.0.bank.0.bytes"][1] == 4096


@pytest.mark.usefixtures("group")
def test_what_a_guest_is_given(tree: Path) -> None:
    async def scenario(world: World) -> None:
        give(world, tree)
        ref = await world.get(Domains).create_xml(SMALL, D.START_PAUSED)
        record = world.driver._context.table.get(ref)
        assert record.runtime is not None
        assert record.runtime.process is not None
        pid = record.runtime.process.pid
        own = tree / f"qemu-{record.id}-t-caches-vcpus_1"
        assert (own / "schemata").read_text() == "L3:0=c\n"
        assert (own / "tasks").read_text() == str(record.runtime.threads.vcpus[1])
        (own / "mon_data" / "mon_L3_00").mkdir(parents=True)
        (own / "mon_data" / "mon_L3_00" / "llc_occupancy").write_text("4096\n")
        await tells(world, ref)
        await world.driver.stop()
        await world.start()
        give(world, tree)
        await tells(world, ref)
        await world.get(Lifecycle).destroy(ref, 0)
        os.waitpid(pid, 0)  # noqa: ASYNC222 - it has ended
        assert not own.exists()
        (tree / "schemata").write_text("L3:0=7f\n")
        with pytest.raises(ConfigUnsupported, match="Not enough room for allocation of 2097152 bytes"):
            await world.get(Domains).create_xml(SMALL, 0)
        assert sorted(os.listdir(tree)) == ["info", "schemata"]

    with world_root() as root:
        run(root, scenario)
