"""Block nodes, objects and devices of what libvirt 9.0 does not know, or shows without what a start grants."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from roost.drivers.qemu import plan
from roost.drivers.qemu.live import make_live
from roost.errors import ConfigUnsupported, InternalError, InvalidArg
from roost.model.domain import Domain, parse
from roost.model.domain.complete import complete
from roost.model.domain.devices.disk import BlockSource
from support import machines

CAPS = machines.capabilities()
SHARED = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"


def live(devices: str, extra: str = "") -> Domain:
    xml = (
        "<domain type='qemu'><name>g</name><memory unit='MiB'>64</memory><iothreads>2</iothreads>"
        f"<os><type machine='pc'>hvm</type></os>{extra}<devices>{devices}</devices></domain>"
    )
    return make_live(complete(parse(xml), machines.facts()), 1, Path("/run/g"))


def disk(source: str, *, type: str = "file", driver: str = "<driver name='qemu'/>", rest: str = "") -> str:
    target = "" if "<target" in rest else "<target dev='vda' bus='virtio'/>"
    return f"<disk type='{type}'>{driver}{source}{target}{rest}</disk>"


def pieces(domain: Domain, kind: str, **granted: Any) -> list[dict[str, Any]]:
    """The JSON values of one option of the command line."""
    words = plan.argv(domain, CAPS, plan.Grants(**granted)).argv
    return [json.loads(value) for option, value in itertools.pairwise(words) if option == f"-{kind}"]


def device(domain: Domain, driver: str) -> dict[str, Any]:
    return next(each for each in pieces(domain, "device") if each["driver"].startswith(driver))


def test_iothreads_that_share_the_queues() -> None:
    mapping = "<iothreads><iothread id='1'><queue id='0'/><queue id='1'/></iothread><iothread id='2'/></iothreads>"
    found = device(
        live(disk("<source file='/a'/>", driver=f"<driver name='qemu' queues='2'>{mapping}</driver>")), "virtio-blk"
    )
    assert found["iothread-vq-mapping"] == [{"iothread": "iothread1", "vqs": [0, 1]}, {"iothread": "iothread2"}]
    controller = f"<controller type='scsi' model='virtio-scsi'><driver>{mapping}</driver></controller>"
    assert len(device(live(controller), "virtio-scsi")["iothread-vq-mapping"]) == 2


def test_namespaces_of_an_nvme_drive() -> None:
    domain = live(disk("<source file='/a'/>", rest="<target dev='nvme0n3' bus='nvme'/>"))
    assert device(domain, "nvme-ns")["nsid"] == 3
    drive = next(each for each in pieces(domain, "device") if each["driver"] == "nvme")
    assert (drive["id"], drive["serial"]) == ("nvme0", "nvme0")


def test_a_disk_below_a_throttle_group() -> None:
    limits = "<total_bytes_sec>5</total_bytes_sec><group_name>slow</group_name>"
    group = f"<throttlegroups><throttlegroup>{limits}</throttlegroup></throttlegroups>"
    domain = live(
        disk("<source file='/a'/>", rest="<throttlefilters><throttlefilter group='slow'/></throttlefilters>"), group
    )
    assert {"qom-type": "throttle-group", "id": "throttle-slow", "limits": {"bps-total": 5}} in pieces(domain, "object")
    filter_ = pieces(domain, "blockdev")[-1]
    assert (filter_["driver"], filter_["throttle-group"], filter_["file"]) == (
        "throttle",
        "throttle-slow",
        "libvirt-1-format",
    )
    assert device(domain, "virtio-blk")["drive"] == filter_["node-name"]


def test_data_beside_the_image() -> None:
    data = "<dataStore type='file'><format type='raw'/><source file='/data'/></dataStore>"
    domain = live(
        disk(f"<source file='/a'>{data}</source>", driver="<driver name='qemu' type='qcow2' discard_no_unref='on'/>")
    )
    nodes = {each["node-name"]: each for each in pieces(domain, "blockdev")}
    assert nodes["libvirt-1-format"]["data-file"] == "libvirt-2-format"
    assert nodes["libvirt-1-format"]["discard-no-unref"] is True
    assert nodes["libvirt-2-storage"]["filename"] == "/data"
    assert [file.path for file in plan.needs(domain, CAPS).files] == ["/a", "/data"]


def test_statistics_of_a_disk() -> None:
    bins = "<bin start='0'/><bin start='1000'/>"
    statistics = (
        f"<statistics><statistic interval='10'/><latency-histogram type='read'>{bins}</latency-histogram></statistics>"
    )
    domain = live(disk("<source file='/a'/>", driver=f"<driver name='qemu'>{statistics}</driver>"))
    assert device(domain, "virtio-blk")["stats-intervals"] == [10]
    asked = {command.name: command.arguments for command in plan.settings(domain, CAPS)}
    histogram = asked["block-latency-histogram-set"]
    assert "virtio-disk0" in histogram["id"]
    assert histogram["boundaries-read"] == [1000]


def test_a_vdpa_device_goes_by_descriptor() -> None:
    domain = live(disk("<source dev='/dev/vhost-vdpa-0'/>", type="vhostvdpa"))
    (opened,) = plan.needs(domain, CAPS).opened
    assert (opened.key, opened.path) == ("libvirt-1-storage", "/dev/vhost-vdpa-0")
    node = pieces(domain, "blockdev", fds={opened.key: (9,)})[0]
    assert (node["driver"], node["path"]) == ("virtio-blk-vhost-vdpa", "/dev/fdset/0")


def test_an_nvme_drive_of_the_host() -> None:
    address = "<address domain='0' bus='0x65' slot='0' function='0'/>"
    domain = live(disk(f"<source type='pci' namespace='1'>{address}</source>", type="nvme"))
    (wanted,) = plan.needs(domain, CAPS).devices
    assert (wanted.kind, wanted.name, wanted.managed) == ("pci", "0000:65:00.0", True)


def test_secrets_are_inherited_or_told_and_never_shown() -> None:
    luks = "<encryption format='luks'><secret type='passphrase' usage='x'/></encryption>"
    domain = live(disk("<source file='/a'/>", rest=luks))
    name = "libvirt-1-format-encryption-secret0"
    assert plan.needs(domain, CAPS).secrets == (plan.Secret(name, "volume", None, "x"),)
    launch = plan.argv(domain, CAPS, plan.Grants(fds={name: (7,)}))
    assert 7 in launch.fds
    assert {"qom-type": "secret", "id": name, "file": "/dev/fd/7", "format": "raw"} in pieces(
        domain, "object", fds={name: (7,)}
    )
    added = plan.device_add(domain.devices.disks[0], domain, CAPS, plan.Grants(secrets={name: b"sesame"}))
    told = next(command.arguments for command in added if command.name == "object-add")
    assert (told["data"], told["format"]) == ("c2VzYW1l", "base64")


def test_cookies_are_secrets() -> None:
    cookies = "<cookies><cookie name='a'>1</cookie><cookie name='b'>2</cookie></cookies>"
    source = f"<source protocol='http' name='x'><host name='h'/>{cookies}</source>"
    (secret,) = plan.needs(live(disk(source, type="network")), CAPS).secrets
    assert secret.value == "a=1; b=2"


def test_descriptors_that_were_handed_over() -> None:
    domain = live(disk("<source file='/a' fdgroup='given'/>"))
    with pytest.raises(InvalidArg, match="file descriptor group 'given' was not associated with the domain"):
        pieces(domain, "blockdev")
    storage = pieces(domain, "blockdev", fds={"fdgroup:given": (8,)})[0]
    assert (storage["filename"], storage["read-only"]) == ("/dev/fdset/0", False)
    assert pieces(domain, "blockdev", fds={"fdgroup:given": (8, 9)})[0]["auto-read-only"] is True


def test_volumes_are_what_was_found() -> None:
    domain = live(disk("<source pool='p' volume='v'/>", type="volume"))
    with pytest.raises(InternalError, match="storage source pool 'p' volume 'v' is not translated"):
        plan.needs(domain, CAPS)
    volumes = {("p", "v"): BlockSource(dev="/dev/vg/v")}
    assert plan.needs(domain, CAPS, volumes).files[0].kind == "block"
    assert pieces(domain, "blockdev", volumes=volumes)[0]["filename"] == "/dev/vg/v"


@pytest.mark.parametrize(
    ("source", "error", "text"),
    [
        ("protocol='nbd' name='x'><host name='a'/><host name='b'/", InternalError, "accepts only one host"),
        ("protocol='nbd' name='x'><host name='a' transport='rdma'/", InternalError, "'rdma' is not yet supported"),
        ("protocol='rbd' name='p/x'><host transport='unix' socket='/s'/", InternalError, "only TCP protocol"),
        ("protocol='iscsi' name='t/x'><host name='h'/", InternalError, "cannot parse target for lunStr"),
        ("protocol='http' name='x' tls='yes'><host name='h'/", ConfigUnsupported, "TLS transport is not supported"),
        ("protocol='ssh' name='x'><host name='h'/><identity keyfile='/k'/", ConfigUnsupported, "ssh keys of disks"),
        ("protocol='nfs' name='x'><host name='h'/><identity user='joe'/", ConfigUnsupported, "unknown identity 'joe'"),
    ],
)  # fmt: skip
def test_servers_that_cannot_be_reached(source: str, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        pieces(live(disk(f"<source {source}></source>", type="network")), "blockdev")


def test_virtiofsd_is_needed_with_what_the_document_says() -> None:
    binary = (
        "<binary path='/opt/virtiofsd' xattr='on'><cache mode='always'/><lock posix='off'/><thread_pool size='4'/>"
        "<openfiles max='100'/></binary><idmap><uid start='0' target='1000' count='10'/></idmap>"
    )
    xml = f"<filesystem><driver type='virtiofs'/>{binary}<source dir='/srv'/><target dir='t'/></filesystem>"
    (need,) = plan.needs(live(xml, SHARED), CAPS).virtiofs
    assert (need.key, need.directory, need.binary, need.max_open_files) == ("fs0", "/srv", "/opt/virtiofsd", 100)
    assert need.arguments == ("-o", "cache=always", "-o", "xattr", "-o", "no_posix_lock", "--thread-pool-size=4")
    assert (need.uids, need.gids) == (((0, 1000, 10),), ())
