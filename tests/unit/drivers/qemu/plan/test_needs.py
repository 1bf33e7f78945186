"""What documents need of the host."""

from __future__ import annotations

import pytest

from roost.drivers.qemu import plan
from roost.errors import ConfigUnsupported, InternalError
from roost.model.domain import parse
from support import machines, plans

FILE, LISTENER, LOG, PORT, TAP = plan.File, plan.Listener, plan.Log, plan.Port, plan.Tap


def needs(name: str) -> plan.Needs:
    return plan.needs(plans.document(name), machines.capabilities())


def changed(name: str, old: str, new: str) -> plan.Needs:
    text = (plans.GOLDEN / f"{name}.xml").read_text()
    assert old in text
    return plan.needs(parse(text.replace(old, new), live=True), machines.capabilities())


def test_images_and_who_uses_them() -> None:
    assert needs("disk-chain").files == (
        FILE("/golden/top.qcow2", write=True, user="vda"),
        FILE("/golden/mid.qcow2", write=False, user="vda"),
        FILE("/golden/base.raw", write=False, user="vda"),
        FILE("/golden/x.qcow2", write=True, user="vdb"),
    )


def test_block_devices_and_read_only_drives() -> None:
    assert needs("disk-block").files == (
        FILE("/dev/loop0", write=True, user="vda", kind="block"),
        FILE("/dev/sr0", write=False, user="hda", kind="block"),
    )


def test_empty_drives_need_nothing() -> None:
    assert {file.user for file in needs("disk-buses").files} == {"vda", "hda", "hdd", "sda", "sdb", "sdc", "sdd"}


def test_shared_images() -> None:
    assert [file.user for file in needs("disk-options").files if file.shared] == ["vdb"]


def test_kernel_and_firmware() -> None:
    assert needs("boot-kernel").files == (
        FILE("/golden/vmlinuz", write=False, user="kernel", kind="kernel"),
        FILE("/golden/initrd", write=False, user="initrd", kind="kernel"),
    )
    assert FILE("/golden/bios.bin", write=False, user="loader", kind="kernel") in needs("firmware-bios").files
    assert FILE("/golden/fw", write=False, user="opt/com.example/file", kind="kernel") in needs("sysinfo").files


def test_taps() -> None:
    assert needs("interfaces-tap").taps == (
        TAP("net0", "tapa", "52:54:00:00:01:11", mtu=1400, queues=1, managed=False, vnet_hdr=True),
        TAP("net1", "tapb", "52:54:00:00:01:12", "br0", queues=4, vnet_hdr=True),
        TAP("net2", "", "52:54:00:00:01:14", "br0", queues=1),
    )


def test_vhost_is_for_kvm_and_virtio() -> None:
    (tap,) = needs("kvm").taps
    assert (tap.vhost, tap.vhost_required) == (1, False)
    assert needs("typical").taps[0].vhost == 0


def test_vhost_by_name_must_be_there() -> None:
    document = changed("kvm", "<model type='virtio'/>", "<model type='virtio'/><driver name='vhost' queues='3'/>")
    assert (document.taps[0].vhost, document.taps[0].vhost_required) == (3, True)
    assert changed("kvm", "<model type='virtio'/>", "<model type='virtio'/><driver name='qemu'/>").taps[0].vhost == 0


def test_vhost_needs_virtio() -> None:
    with pytest.raises(ConfigUnsupported, match="vhost-net is only supported for virtio network interfaces"):
        changed("kvm", "<model type='virtio'/>", "<model type='e1000'/><driver name='vhost'/>")


def test_ports() -> None:
    assert needs("vnc").ports == (
        PORT("graphics0", 5911, 5911, "127.0.0.1"),
        PORT("graphics0.websocket", 5711, 5711, "127.0.0.1"),
    )
    assert needs("vnc-any").ports == (
        PORT("graphics0", 5900, 65535, "0.0.0.0"),
        PORT("graphics0.websocket", 5700, 65535, "0.0.0.0"),
    )
    assert needs("vnc-ipv6").ports == (PORT("graphics0", 5912, 5912, "::1"),)
    assert needs("vnc-socket").ports == needs("vnc-none").ports == ()


def test_character_devices() -> None:
    found = needs("chardevs")
    assert found.listeners == (
        LISTENER("charserial2", "/golden/s,1.sock"),
        LISTENER("charchannel0", "/golden/c0.sock"),
    )
    assert found.logs == (
        LOG("charserial1", "/golden/a,b.log", append=True),
        LOG("charparallel1", "/golden/par.log", append=False),
    )
    assert found.files == (FILE("/golden/c2.sock", write=True, user="channel2", kind="socket", optional=True),)
    assert needs("chardevs-log").logs == (LOG("log:charserial0", "/golden/ser.log", append=False),)
    assert needs("chardevs-dev").files == (
        FILE("/dev/ttyS0", write=True, user="serial0", kind="device"),
        FILE("/golden/pipe.in", write=True, user="serial1", kind="pipe", optional=True),
        FILE("/golden/pipe.out", write=True, user="serial1", kind="pipe", optional=True),
        FILE("/golden/pipe", write=True, user="serial1", kind="pipe", optional=True),
        FILE("/dev/parport0", write=True, user="parallel0", kind="device"),
    )


def test_randomness() -> None:
    found = needs("rng")
    assert found.files == (FILE("/dev/urandom", write=False, user="rng0", kind="device"),)
    assert found.listeners == (LISTENER("charrng2", "/golden/egd.sock"),)


def test_a_socket_without_a_path_is_our_mistake() -> None:
    with pytest.raises(InternalError, match="'channel0' has no path yet"):
        changed("typical", "<source mode='bind' path='/golden/agent.sock'/>", "")


def test_volumes_nobody_has_looked_up() -> None:
    image = "<disk type='{}' device='disk'>\n      <driver name='qemu' type='raw'/>\n      <source {}"
    file, volume = image.format("file", "file='/golden/i.raw'"), image.format("volume", "pool='p' volume='v'")
    with pytest.raises(InternalError, match="storage source pool 'p' volume 'v' is not translated"):
        changed("disk-formats", file, volume)
