"""Limits that disks share, changed while the guest runs, and what else newer clients may ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from roost.cli import main
from roost.constants import displays
from roost.constants import domain as D
from roost.contract.devices import Devices
from roost.contract.displays import Displays
from roost.contract.domains import Domains, Lifecycle
from roost.contract.tuning import ThrottleGroups
from roost.contract.typed_params import uint, ullong
from roost.drivers.qemu.context import require_monitor
from roost.errors import ArgumentUnsupported, InternalError, InvalidArg, OperationInvalid, OperationUnsupported
from support.daemon import RoostDaemon
from support.peer import virsh_ok
from support.world import World, run, world_root

pytestmark = pytest.mark.guest

LIVE, CONFIG = D.AFFECT_LIVE, D.AFFECT_CONFIG


def document(path: Path, filters: str = "") -> str:
    return f"""<domain type='qemu'><name>grouped</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<throttlegroups><throttlegroup><total_iops_sec>100</total_iops_sec><group_name>slow</group_name></throttlegroup>
</throttlegroups><devices><disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{path}'/>
<target dev='vda' bus='virtio'/>{filters}</disk><interface type='user'><mac address='52:54:00:00:00:61'/></interface>
</devices></domain>"""


def test_groups_of_a_running_guest() -> None:
    with world_root() as root:
        path = root / "a.img"
        path.write_bytes(bytes(1 << 20))

        async def scenario(world: World) -> None:
            domains, groups = world.get(Domains), world.get(ThrottleGroups)
            filters = "<throttlefilters><throttlefilter group='slow'/></throttlefilters>"
            ref = await domains.define(document(path, filters), 0)
            ref = await world.get(Lifecycle).create(ref, 0)
            monitor = require_monitor(world.driver._context.table.get(ref))

            async def limits(group: str) -> dict[str, int]:
                arguments = {"path": f"/objects/throttle-{group}", "property": "limits"}
                found: dict[str, int] = await monitor.execute("qom-get", arguments)
                return {name: value for name, value in found.items() if value and not name.endswith("-length")}

            assert await limits("slow") == {"iops-total": 100}
            burst = [ullong("read_bytes_sec", 5000), ullong("read_bytes_sec_max", 9000)]
            await groups.set(ref, "slow", burst, LIVE | CONFIG)
            assert await limits("slow") == {"iops-total": 100, "bps-read": 5000, "bps-read-max": 9000}
            await groups.set(ref, "slow", [ullong("read_bytes_sec", 0), ullong("read_bytes_sec_max", 0)], LIVE)
            assert await limits("slow") == {"iops-total": 100}
            await groups.set(ref, "new", [ullong("total_bytes_sec", 7000)], LIVE)
            assert await limits("new") == {"bps-total": 7000}
            live, config = domains.describe(ref, 0), domains.describe(ref, D.XML_INACTIVE)
            assert "<group_name>new</group_name>" in live
            assert "<group_name>new</group_name>" not in config
            assert "<read_bytes_sec>5000</read_bytes_sec>" in config
            with pytest.raises(OperationInvalid, match="throttle group 'slow' is still being used by disk vda"):
                await groups.delete(ref, "slow", LIVE)
            with pytest.raises(
                OperationInvalid, match="throttlegroup 'new' was not found in the config; there are slow"
            ):
                await groups.delete(ref, "new", LIVE | CONFIG)
            await groups.delete(ref, "new", LIVE)
            assert domains.describe(ref, 0).count("<group_name>") == 1
            with pytest.raises(InvalidArg, match="total and read/write of bytes_sec cannot be set at the same time"):
                await groups.set(ref, "x", [ullong("total_bytes_sec", 1), ullong("read_bytes_sec", 1)], LIVE)
            with pytest.raises(ArgumentUnsupported, match="parameter 'group_name' not supported"):
                await groups.set(ref, "x", [ullong("group_name", 1)], LIVE)

        run(root, scenario)


def test_announcements_and_displays() -> None:
    with world_root() as root:
        path = root / "a.img"
        path.write_bytes(bytes(1 << 20))

        async def scenario(world: World) -> None:
            ref = await world.get(Domains).create_xml(document(path), 0)
            devices = world.get(Devices)
            await devices.announce(ref, None, (), 0)
            await devices.announce(ref, "52:54:00:00:00:61", [uint("rounds", 2), uint("initial", 10)], 0)
            with pytest.raises(ArgumentUnsupported, match="parameter 'pace' not supported"):
                await devices.announce(ref, None, [uint("pace", 2)], 0)
            with pytest.raises((InvalidArg, InternalError)):
                await devices.announce(ref, "52:54:00:00:00:99", (), 0)
            with pytest.raises(OperationUnsupported, match="the domain has no VNC display"):
                await world.get(Displays).reload(ref, displays.RELOAD_TYPE_ANY, 0)
            with pytest.raises(InvalidArg, match="unknown type of display to reload: 7"):
                await world.get(Displays).reload(ref, 7, 0)

        run(root, scenario)


def test_their_commands(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "grouped.xml"
    path.write_text(document(tmp_path / "a.img"))

    def roost(*words: str) -> str:
        code = main(["-c", daemon.uri, *words])
        out, err = capfd.readouterr()
        assert code == (1 if err else 0)
        return out + err

    with RoostDaemon() as daemon:
        virsh_ok(daemon.uri, "define", str(path))
        assert roost("domthrottlegroupset", "grouped", "fast", "--total-iops-sec", "500", "--config") == "\n"
        assert roost("domthrottlegrouplist", "grouped").split() == ["slow", "fast"]
        shown = [line.split() for line in roost("domthrottlegroupinfo", "grouped", "fast").splitlines() if line]
        assert shown == [["total_iops_sec", ":", "500"], ["group_name", ":", "fast"]]
        assert roost("domthrottlegroupdel", "grouped", "fast") == "\n"
        assert "No throttle group with the name fast" in roost("domthrottlegroupinfo", "grouped", "fast")
        assert "domain is not running" in roost("domifannounce", "grouped", "--rounds", "3")
        assert "Unknown display type 'x'" in roost("domdisplay-reload", "grouped", "--type", "x")
