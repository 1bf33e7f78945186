"""What QEMU and the host make of parameters: throttles, bandwidth, memory nodes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from roost.contract.references import DomainRef
from roost.contract.typed_params import boolean, checked, string, uint, ullong
from roost.drivers.qemu.memory import with_balloon
from roost.drivers.qemu.tuning import bandwidth as shaping
from roost.drivers.qemu.tuning import numa, throttling
from roost.drivers.qemu.tuning.limits import QemuResourceLimits
from roost.engine.edits import bandwidth
from roost.engine.edits import throttling as limits
from roost.errors import (
    ArgumentUnsupported,
    ConfigUnsupported,
    InvalidArg,
    OperationInvalid,
    OperationUnsupported,
)
from roost.host.api import Rate
from roost.host.fake import FakeHost
from roost.model import domain as model
from roost.model.domain import Domain

MAC = "52:54:00:00:00:01"


def document(inner: str = "", devices: str = "") -> Domain:
    return model.parse(
        f"<domain type='qemu'><name>web</name><memory>65536</memory><vcpu>2</vcpu>{inner}"
        f"<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>{devices}</devices></domain>"
    )


def disks(*tunes: str) -> Domain:
    return document(
        devices="".join(
            f"<disk type='file' device='disk'><source file='/i/{place}'/>"
            f"<target dev='vd{chr(97 + place)}' bus='virtio'/>{tune and f'<iotune>{tune}</iotune>'}</disk>"
            for place, tune in enumerate(tunes)
        )
    )


def throttled(found: Domain, name: str, values: dict[str, Any], *, live: bool = True) -> dict[str, Any]:
    """The limits that are there afterwards."""
    disk = limits.find_disk(found, name)
    assert disk is not None
    tune = throttling.merged(found, disk, values, live=live)
    return {key: value for key in limits.PARAMETERS if (value := getattr(tune, key, None)) is not None}


def test_names_and_types_of_parameters() -> None:
    allowed = {"a": 4, "b": 7}
    assert checked([ullong("a", 5), string("b", "x")], allowed) == {"a": 5, "b": "x"}
    with pytest.raises(ArgumentUnsupported, match="parameter 'c' not supported"):
        checked([ullong("c", 5)], allowed)
    with pytest.raises(InvalidArg, match="parameter 'a' occurs multiple times"):
        checked([ullong("a", 5), ullong("a", 5)], allowed)
    with pytest.raises(InvalidArg, match="invalid type 'uint' for parameter 'a', expected 'ullong'"):
        checked([uint("a", 5)], allowed)
    with pytest.raises(InvalidArg, match="invalid type 'boolean'"):
        checked([boolean("b", True)], allowed)


def test_a_family_is_given_whole() -> None:
    found = disks("<read_bytes_sec>5</read_bytes_sec><total_iops_sec>9</total_iops_sec>")
    assert throttled(found, "vda", {"total_bytes_sec": 7}) == {"total_bytes_sec": 7, "total_iops_sec": 9}
    assert throttled(found, "/i/0", {"write_bytes_sec": 7}) == {"write_bytes_sec": 7, "total_iops_sec": 9}
    assert throttled(found, "vda", {"total_bytes_sec": 0, "total_iops_sec": 0}) == {}


def test_a_group_shares_its_limits() -> None:
    found = disks("<total_iops_sec>9</total_iops_sec><group_name>g</group_name>", "")
    assert throttled(found, "vdb", {"group_name": "g"}) == {"total_iops_sec": 9, "group_name": "g"}
    disk = limits.find_disk(found, "vdb")
    assert disk is not None
    tune = throttling.merged(found, disk, {"group_name": "g", "total_iops_sec": 5}, live=True)
    changed = limits.with_iotune(found, disk, tune)
    assert [each.iotune and each.iotune.total_iops_sec for each in changed.devices.disks] == [5, 5]
    with pytest.raises(ConfigUnsupported, match="creating a new group/updating existing with all tune parameters zero"):
        throttled(found, "vdb", {"group_name": "other"})


def test_bursts() -> None:
    found = disks(
        "<total_iops_sec>9</total_iops_sec><total_iops_sec_max>20</total_iops_sec_max>"
        "<total_iops_sec_max_length>4</total_iops_sec_max_length>"
    )
    # QEMU refuses a length of 0 for a burst that is there.
    assert throttled(found, "vda", {"total_iops_sec_max_length": 0})["total_iops_sec_max_length"] == 1
    with pytest.raises(ConfigUnsupported, match="cannot reset 'total_iops_sec' when 'total_iops_sec_max' is set"):
        throttled(found, "vda", {"total_iops_sec": 0})
    with pytest.raises(ConfigUnsupported, match="value 'total_iops_sec_max' cannot be smaller than 'total_iops_sec'"):
        throttled(found, "vda", {"total_iops_sec": 30})
    assert throttled(found, "vda", {"total_iops_sec": 30}, live=False)["total_iops_sec"] == 30


def interface(kind: str = "bridge", inner: str = "") -> Domain:
    source = {"bridge": "<source bridge='br0'/>", "direct": "<source dev='eth0' mode='bridge'/>"}.get(kind, "")
    return document(
        devices=f"<interface type='{kind}'><mac address='{MAC}'/>{source}<target dev='tap7'/>{inner}</interface>"
    )


def test_bandwidth() -> None:
    found = interface(inner="<bandwidth><inbound average='5' peak='6'/><outbound average='7'/></bandwidth>")
    (one,) = found.devices.interfaces
    assert bandwidth.find_interface(found, "tap7") is bandwidth.find_interface(found, MAC.upper()) is one
    after = bandwidth.merged(one, {"inbound.average": 9, "inbound.burst": 2})
    assert shaping.rates(one, after) == (Rate(9, 0, 2), Rate(7))
    assert bandwidth.merged(one, {"inbound.average": 0, "outbound.average": 0}) is None
    changed = bandwidth.with_bandwidth(found, one, after)
    assert bandwidth.shown(changed.devices.interfaces[0].bandwidth)[0] == uint("inbound.average", 9)
    with pytest.raises(InvalidArg, match="'tap8' is not a known interface"):
        bandwidth.find_interface(found, "tap8")


def test_bandwidth_of_what_has_its_own_view() -> None:
    (one,) = interface("direct").devices.interfaces
    assert shaping.rates(one, bandwidth.merged(one, {"inbound.average": 9})) == (None, Rate(9))


def test_bandwidth_that_is_refused() -> None:
    (user,), (bridge,) = interface("user").devices.interfaces, interface().devices.interfaces
    with pytest.raises(ConfigUnsupported, match="interfaces of type 'user' is not implemented yet"):
        shaping.check(user, {"inbound.average": 9})
    with pytest.raises(OperationUnsupported, match="Invalid use of 'floor' on interface with MAC address"):
        shaping.check(bridge, {"inbound.floor": 9})


def test_memory_nodes_of_a_running_guest() -> None:
    placed = document("<numatune><memory mode='strict' nodeset='1'/></numatune>")
    with pytest.raises(OperationInvalid, match="can't change numatune mode for running domain"):
        numa.refuse_live_change(placed, "interleave", None)
    with pytest.raises(OperationInvalid, match="can't change nodeset for strict mode for running domain"):
        numa.refuse_live_change(placed, "strict", "0")
    with pytest.raises(OperationInvalid, match="requires restrictive numa mode"):
        numa.refuse_live_change(placed, None, "0")
    numa.refuse_live_change(placed, "strict", "1")
    numa.refuse_live_change(document("<numatune><memory mode='restrictive' nodeset='1'/></numatune>"), None, "0")
    with pytest.raises(ConfigUnsupported, match="NUMA node 7 is unavailable"):
        numa.check_nodes(FakeHost(), "7")


def test_an_ordinary_users_daemon_bounds_nothing() -> None:
    context: Any = SimpleNamespace(host=FakeHost(), table=SimpleNamespace(get=lambda domain: None))
    limits = QemuResourceLimits(context, privileged=False)
    domain = DomainRef("web", bytes(16), -1)
    with pytest.raises(ConfigUnsupported, match="CPU tuning is not available in session mode"):
        limits.scheduler_parameters(domain, 0)
    with pytest.raises(OperationUnsupported, match="Memory tuning is not available in session mode"):
        limits.memory_parameters(domain, 0)
    with pytest.raises(ConfigUnsupported, match="Block I/O tuning is not available in session mode"):
        limits.blkio_parameters(domain, 0)


def test_the_balloon_tells_how_much_memory_there_is() -> None:
    live = replace(document(), current_memory=5)
    assert with_balloon(live, {"actual": 1024 * 77}).current_memory == 77
    assert with_balloon(live, ValueError()) is live
