"""What backs a guest's memory, where no older libvirt can be asked."""

from __future__ import annotations

import json
from typing import Any

from roost.drivers.qemu import plan
from roost.drivers.qemu.live import make_live
from roost.model.domain import Domain, parse
from roost.model.domain.complete import complete
from support import machines

CELLS = "<cpu><numa><cell id='0' cpus='0' memory='128' unit='MiB'/></numa></cpu>"


def domain(
    body: str = "", *, memory: str = "<memory unit='MiB'>128</memory>", devices: str = "", cpu: str = ""
) -> Domain:
    document = parse(
        f"<domain type='qemu'><name>x</name>{memory}{body}<os><type arch='x86_64' machine='q35'>hvm</type></os>"
        f"<features><acpi/></features>{cpu}<devices>{devices}</devices></domain>"
    )
    return make_live(complete(document, machines.facts("x86_64", "qemu"), entropy=bytes), 3, machines.RECORDED)


def words(document: Domain, **grants: Any) -> list[str]:
    return list(plan.argv(document, machines.capabilities(), plan.Grants(**grants)).argv)


def objects(document: Domain, **grants: Any) -> dict[str, dict[str, Any]]:
    argv = words(document, **grants)
    found = [json.loads(argv[place + 1]) for place, word in enumerate(argv) if word == "-object"]
    return {each["id"]: each for each in found}


def test_files_are_in_the_guests_own_directory() -> None:
    made = objects(domain("<memoryBacking><source type='file'/></memoryBacking>"), directory="/run/guest")
    assert made["pc.ram"]["mem-path"] == "/run/guest/pc.ram"


def test_huge_pages_are_asked_of_the_host_by_size() -> None:
    document = domain("<memoryBacking><hugepages><page size='1' unit='GiB'/></hugepages></memoryBacking>")
    assert [need.size for need in plan.needs(document, machines.capabilities()).pages] == [1 << 20]
    assert objects(document, pages={1 << 20: "/huge/x"})["pc.ram"]["mem-path"] == "/huge/x"


def test_huge_pages_of_a_memfd_are_no_files() -> None:
    document = domain("<memoryBacking><hugepages/><source type='memfd'/></memoryBacking>")
    assert plan.needs(document, machines.capabilities()).pages == ()
    made = objects(document, default_page=16384)["pc.ram"]
    assert (made["hugetlb"], made["hugetlbsize"]) == (True, 16384 * 1024)


def test_memory_follows_the_nodes_that_were_found_best() -> None:
    body = "<numatune><memory mode='preferred' placement='auto'/></numatune>"
    found = objects(domain(body), nodes="0-1")["pc.ram"]
    assert (found["host-nodes"], found["policy"]) == ([0, 1], "preferred")
    assert "host-nodes" not in objects(domain(body))["pc.ram"]


def test_polling_of_iothreads() -> None:
    document = domain("<iothreadids><iothread id='3'><poll max='100' grow='2' shrink='4'/></iothread></iothreadids>")
    assert objects(document)["iothread3"] == {
        "qom-type": "iothread", "id": "iothread3", "poll-max-ns": 100, "poll-grow": 2, "poll-shrink": 4,
    }  # fmt: skip


def test_where_the_guest_sees_memory_and_how_the_host_maps_it() -> None:
    memory = "<maxMemory slots='2' unit='GiB'>2</maxMemory><memory unit='MiB'>128</memory>"
    device = (
        "<memory model='virtio-mem'><target dynamicMemslots='yes'><size unit='GiB'>1</size><node>0</node>"
        "<block unit='MiB'>2</block><requested>0</requested><address base='0x140000000'/></target>"
        "<driver iommu='on'/></memory>"
    )
    document = domain(memory=memory, devices=device, cpu=CELLS)
    (made,) = (json.loads(word) for word in words(document) if '"virtio-mem-pci"' in word)
    assert made["dynamic-memslots"] is True
    assert made["memaddr"] == 0x140000000
    assert made["iommu_platform"] is True


def test_a_memory_device_of_a_running_guest() -> None:
    memory = "<maxMemory slots='2' unit='GiB'>2</maxMemory><memory unit='MiB'>128</memory>"
    device = "<memory model='dimm'><target><size unit='MiB'>256</size><node>0</node></target></memory>"
    document = domain(memory=memory, devices=device, cpu=CELLS)
    commands = plan.device_add(document.devices.memories[0], document, machines.capabilities(), plan.Grants())
    assert [command.name for command in commands] == ["object-add", "device_add"]
    assert commands[1].arguments == {
        "driver": "pc-dimm", "node": 0, "memdev": "memdimm0", "id": "dimm0", "slot": 0,
    }  # fmt: skip


def test_memory_is_given_in_whole_blocks() -> None:
    assert words(domain(memory="<memory unit='KiB'>131073</memory>")).count("129") == 1
