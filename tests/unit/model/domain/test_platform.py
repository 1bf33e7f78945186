"""Firmware, SMBIOS, TPMs and the platform's devices: what is filled in, and what libvirt 9.0 cannot be asked about."""

from __future__ import annotations

import re

import pytest
from msgspec.structs import replace

from roost.errors import RoostError, XmlDetail
from roost.model.domain import Domain, format, parse
from roost.model.domain.complete import complete
from roost.model.domain.os import Nvram, nvram_path, variables_path
from support import machines
from support.platforms import Broken, broken, domain

FACTS = machines.facts()
UUID = "11111111-2222-4333-8444-555555555555"


def completed(xml: str) -> Domain:
    return complete(parse(xml), FACTS, entropy=bytes)


@pytest.mark.parametrize("case", broken(), ids=lambda case: case.text)
def test_refused(case: Broken) -> None:
    with pytest.raises(RoostError, match=re.escape(case.text)):
        complete(parse(case.xml), case.facts)


def test_a_generation_without_an_identifier_gets_one() -> None:
    done = completed(domain().replace("<memory", "<genid/><memory"))
    assert done.genid is not None
    assert done.genid.value == "00000000-0000-4000-8000-000000000000"
    assert "<genid>00000000-" in format(done)
    assert complete(done, FACTS, entropy=lambda n: b"\1" * n).genid == done.genid


def test_sysinfo_brings_the_uuid() -> None:
    entry = f"<entry name='uuid'>{UUID.replace('-', '').upper()}</entry>"
    xml = domain().replace("<os>", f"<sysinfo type='smbios'><system>{entry}</system></sysinfo><os>")
    done = completed(xml)
    assert done.uuid == UUID
    assert f"<entry name='uuid'>{UUID}</entry>" in format(done)
    with pytest.raises(XmlDetail, match="UUID mismatch"):
        completed(xml.replace("<memory", "<uuid>22222222-2222-4333-8444-555555555555</uuid><memory", 1))


def test_variables_stand_where_the_host_keeps_them() -> None:
    loader = "<loader readonly='yes' type='pflash'>/srv/code.fd</loader>"
    facts = replace(FACTS, nvram_directory="/srv/nvram")
    done = complete(parse(domain().replace("</os>", f"{loader}</os>")), facts)
    assert done.os.nvram == Nvram(path="/srv/nvram/x_VARS.fd")
    assert variables_path(done.os.nvram) == nvram_path("/srv/nvram", "x")


def test_a_pstore_without_a_file_gets_one() -> None:
    done = completed(domain("<pstore backend='acpi-erst'><size unit='KiB'>64</size></pstore>"))
    pstore = done.devices.pstore
    assert pstore is not None
    assert pstore.path == "/var/lib/libvirt/qemu/nvram/x_PSTORE.raw"
    assert pstore.address is not None


@pytest.mark.parametrize(
    ("arch", "machine", "model"), [("aarch64", "virt", "tpm-tis"), ("ppc64", "pseries", "tpm-spapr")]
)
def test_tpms_of_other_machines_are_modern(arch: str, machine: str, model: str) -> None:
    xml = domain("<tpm><backend type='emulator'/></tpm>", arch=arch, machine=machine)
    xml = xml.replace("<features><acpi/></features>", "")
    (tpm,) = complete(parse(xml), machines.facts(arch)).devices.tpms
    assert tpm.model == model
    assert "version='2.0'" in format(complete(parse(xml), machines.facts(arch)))


def test_several_smmus_may_each_serve_a_port() -> None:
    ports = "".join(f"<controller type='pci' index='{n}' model='pcie-expander-bus'/>" for n in (1, 2))
    smmus = "".join(f"<iommu model='smmuv3'><driver pciBus='{n}'/></iommu>" for n in (1, 2))
    xml = domain(ports + smmus, arch="aarch64", machine="virt").replace("<features><acpi/></features>", "")
    done = complete(parse(xml), machines.facts("aarch64"))
    assert [iommu.driver.pci_bus for iommu in done.devices.iommus if iommu.driver is not None] == [1, 2]


def test_watchdogs_of_one_action_stand_side_by_side() -> None:
    done = completed(domain("<watchdog model='itco' action='pause'/><watchdog model='i6300esb' action='pause'/>"))
    assert [watchdog.address is not None for watchdog in done.devices.watchdogs] == [False, True]
