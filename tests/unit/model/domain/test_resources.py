"""Processors, memory and tuning where no libvirt 9.0 on this host can be asked: KVM's guests, and what is newer."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from roost.errors import RoostError
from roost.model.domain import Domain, format, parse
from roost.model.domain.alignment import align_memory
from roost.model.domain.complete import complete
from roost.model.domain.devices.memory import Nvdimm
from roost.model.domain.features import Hyperv, TlbFlush
from roost.model.domain.tuning import BandwidthShare, CacheShare
from support import machines, resources
from support.platforms import Broken

KVM = machines.facts("x86_64", "qemu", "kvm")


def done(body: str = "", **more: Any) -> Domain:
    text = resources.document(**more).replace("<os>", f"{body}<os>")
    return complete(parse(text), KVM, entropy=bytes)


def tuned(tune: str) -> Any:
    return done(f"<vcpu>4</vcpu><cputune>{tune}</cputune>", type="kvm").cputune


@pytest.mark.parametrize("case", resources.broken(), ids=lambda case: case.text)
def test_refused(case: Broken) -> None:
    with pytest.raises(RoostError) as caught:
        complete(parse(case.xml), case.facts)
    assert case.text in caught.value.message


def test_caches_are_kept_in_the_order_of_the_host() -> None:
    tune = tuned(
        "<cachetune vcpus='0-1,9'><cache id='1' level='3' type='both' size='3' unit='MiB'/>"
        "<cache id='0' level='3' type='both' size='512'/><cache id='0' level='2' type='code' size='256'/></cachetune>"
    )
    (group,) = tune.cachetunes
    assert group.vcpus == "0-1"
    assert group.caches == (
        CacheShare(id=0, level=2, type="code", size=256),
        CacheShare(id=0, level=3, type="both", size=512),
        CacheShare(id=1, level=3, type="both", size=3072),
    )


def test_groups_of_processors_without_anything_are_dropped() -> None:
    assert tuned("<cachetune vcpus='0'/><memorytune vcpus='7'><node id='0' bandwidth='50'/></memorytune>") is None


def test_bandwidth_of_one_group_is_gathered() -> None:
    tune = tuned(
        "<cachetune vcpus='2'><monitor level='3' vcpus='2'/></cachetune>"
        "<memorytune vcpus='0'><node id='1' bandwidth='30'/></memorytune>"
        "<memorytune vcpus='2'><node id='0' bandwidth='50'/></memorytune>"
        "<memorytune vcpus='0'><node id='0' bandwidth='20'/></memorytune>"
    )
    assert [(each.vcpus, each.nodes) for each in tune.memorytunes] == [
        ("2", (BandwidthShare(id=0, bandwidth=50),)),
        ("0", (BandwidthShare(id=0, bandwidth=20), BandwidthShare(id=1, bandwidth=30))),
    ]


def test_flushes_of_what_is_off_say_nothing() -> None:
    flush = "<tlbflush state='{}'><direct state='on'/><extended state='on'/></tlbflush>"
    features = done(features=f"<hyperv>{flush.format('off')}</hyperv>").features
    assert features is not None
    assert features.hyperv == Hyperv(tlbflush=TlbFlush(state=False))
    features = done(features=f"<hyperv>{flush.format('on')}</hyperv>").features
    assert features is not None
    assert features.hyperv == Hyperv(tlbflush=TlbFlush(state=True, direct=True, extended=True))


def test_polling_of_iothreads_is_kept() -> None:
    text = format(done("<iothreadids><iothread id='1'><poll max='9'/></iothread></iothreadids>"))
    assert "<poll max='9'/>" in text


def test_sizes_are_those_of_whole_blocks() -> None:
    document = done(cpu="<cpu><numa><cell id='0' cpus='0' memory='65537'/></numa></cpu>")
    aligned = align_memory(document)
    assert (aligned.memory, aligned.cells[0].memory) == (66560, 66560)
    assert align_memory(aligned) == aligned


def test_a_label_of_powers_nvdimm_is_not_aligned() -> None:
    device = Nvdimm(path="/nv", size=(512 << 10) + 128, label_size=128)
    document = done(memory="<memory unit='GiB'>2</memory>")
    power = replace(
        document, os=replace(document.os, arch="ppc64"), devices=replace(document.devices, memories=(device,))
    )
    assert align_memory(power).devices.memories == (device,)
