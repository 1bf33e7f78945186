"""Devices of the platform that only newer QEMUs, or QEMUs of other machines, have."""

from __future__ import annotations

import itertools
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from roost.drivers.qemu import plan
from roost.drivers.qemu.capabilities import Capabilities
from roost.drivers.qemu.live import make_live
from roost.errors import RoostError
from roost.model.domain import Domain, parse
from roost.model.domain.complete import complete
from roost.model.domain.security import SevSnpSecurity, TdxSecurity
from support import machines
from support.platforms import domain

CAPS = machines.capabilities()


def translated(document: Domain, caps: Capabilities = CAPS) -> list[str]:
    live = make_live(document, 1, Path("/channel"))
    return list(plan.argv(live, caps, plan.Grants(directory="/guest", tpm_socket="/guest/swtpm.sock")).argv)


def completed(xml: str, arch: str = "x86_64") -> Domain:
    return complete(parse(xml), machines.facts(arch))


def knowing(**properties: tuple[str, ...]) -> Capabilities:
    """The emulator of x86 with more device and object types; keywords are their names with _ for -."""
    more = {name.replace("_", "-"): frozenset(known) for name, known in properties.items()}
    known = {name: CAPS.properties.get(name, frozenset()) | extra for name, extra in more.items()}
    return replace(CAPS, types=CAPS.types | more.keys(), properties={**CAPS.properties, **known})


def devices(words: list[str], flag: str = "-device") -> list[dict[str, object]]:
    return [msgspec.json.decode(word) for option, word in itertools.pairwise(words) if option == flag]


def test_an_amd_iommu_is_placed() -> None:
    document = completed(domain("<iommu model='amd'><driver xtsup='on' passthrough='off'/></iommu>"))
    with pytest.raises(RoostError, match="xtsup is not supported with this QEMU binary"):
        translated(document)
    words = translated(document, knowing(amd_iommu=("pci-id", "xtsup", "pt")))
    function, unit = [each for each in devices(words) if str(each["driver"]).lower().startswith("amd")]
    assert function == {"driver": "AMDVI-PCI", "id": "iommu0", "bus": "pcie.0", "addr": function["addr"]}
    assert unit == {"driver": "amd-iommu", "pci-id": "iommu0", "pt": False, "xtsup": True}


@pytest.mark.parametrize("attribute", ["granule='4k'", "aw_bits='48'"])
def test_what_this_virtio_iommu_lacks(attribute: str) -> None:
    document = completed(domain("<iommu model='virtio'/>"))
    (iommu,) = document.devices.iommus
    (wanted,) = parse(domain(f"<iommu model='virtio'><driver {attribute}/></iommu>")).devices.iommus
    asked = replace(document, devices=replace(document.devices, iommus=(replace(iommu, driver=wanted.driver),)))
    with pytest.raises(RoostError, match="is not supported with this QEMU binary"):
        translated(asked)


def test_smmus_of_arm_boards() -> None:
    caps = machines.capabilities("aarch64")
    xml = domain("<iommu model='smmuv3'/>", arch="aarch64", machine="virt").replace("<features><acpi/></features>", "")
    words = translated(completed(xml, "aarch64"), caps)
    assert ",iommu=smmuv3" in words[words.index("-machine") + 1]


def test_memory_that_the_host_cannot_read() -> None:
    document = completed(domain())
    snp = SevSnpSecurity(policy=0x30000, cbitpos=51, reduced_phys_bits=1, vcek=False, author_key=True, id_auth="aWQ=")
    caps = knowing(sev_snp_guest=(), tdx_guest=())
    words = translated(replace(document, launch_security=snp), caps)
    assert words[words.index("-machine") + 1].endswith("confidential-guest-support=lsec0")
    (made,) = [each for each in devices(words, "-object") if each["id"] == "lsec0"]
    assert made == {
        "qom-type": "sev-snp-guest", "id": "lsec0", "cbitpos": 51, "reduced-phys-bits": 1, "policy": 0x30000,
        "id-auth": "aWQ=", "author-key-enabled": True, "vcek-disabled": True,
    }  # fmt: skip
    tdx = TdxSecurity(policy=0x10000000, quotes="/run/qgs")
    (made,) = [
        each for each in devices(translated(replace(document, launch_security=tdx), caps), "-object")
        if each["id"] == "lsec0"
    ]  # fmt: skip
    assert made["quote-generation-socket"] == {"type": "unix", "path": "/run/qgs"}
    with pytest.raises(RoostError, match="TDX launch security is not supported"):
        translated(replace(document, launch_security=tdx))


def test_a_sev_guest_brings_its_owner_s_words() -> None:
    xml = domain(
        after="<launchSecurity type='sev'><cbitpos>47</cbitpos><reducedPhysBits>1</reducedPhysBits>"
        "<policy>0x3</policy><session>c2Vzc2lvbg==</session></launchSecurity>"
    )
    facts = replace(machines.facts(), protections=frozenset(("sev",)))
    live = make_live(complete(parse(xml), facts), 1, Path("/channel"))
    assert plan.needs(live, CAPS).made == (plan.Made("session.base64", text="c2Vzc2lvbg=="),)
    (made,) = [each for each in devices(translated(live), "-object") if each["id"] == "lsec0"]
    assert made["session-file"] == "/guest/session.base64"
    assert made["policy"] == 3


def test_keys_wrapped_by_the_host() -> None:
    wrap = "<keywrap><cipher name='dea' state='off'/><cipher name='aes' state='on'/></keywrap>"
    with pytest.raises(RoostError, match="aes-key-wrap is not available"):
        translated(completed(domain(after=wrap)))
    xml = domain(arch="s390x", machine="s390-ccw-virtio", after=wrap).replace("<features><acpi/></features>", "")
    words = translated(completed(xml, "s390x"), machines.capabilities("s390x"))
    assert ",aes-key-wrap=on,dea-key-wrap=off" in words[words.index("-machine") + 1]


def test_swtpm_is_asked_for() -> None:
    backend = (
        "<backend type='emulator' version='2.0' debug='7'><active_pcr_banks><sha384/></active_pcr_banks>"
        "<source type='file' path='/srv/x.tpm'/><profile source='local:small'/></backend>"
    )
    live = make_live(completed(domain(f"<tpm model='tpm-crb'>{backend}</tpm>")), 1, Path("/channel"))
    assert plan.needs(live, CAPS).tpms == (
        plan.SoftwareTpm(
            "tpm0", "2.0", ("sha384",), debug=7, state="/srv/x.tpm", state_is_file=True, profile="local:small"
        ),
    )
    words = translated(live)
    assert "socket,id=chrtpm,path=/guest/swtpm.sock" in words
    assert "emulator,id=tpm-tpm0,chardev=chrtpm" in words


@pytest.mark.parametrize(
    ("size", "text"), [("3145728", "must be a power of two"), ("524288", r"must be at least 1 MiB")]
)
def test_sizes_of_shared_memory(size: str, text: str) -> None:
    xml = domain(f"<shmem name='s'><model type='ivshmem-plain'/><size>{size}</size></shmem>")
    with pytest.raises(RoostError, match=text):
        translated(completed(xml))


def test_the_host_s_own_tables() -> None:
    document = completed(domain().replace("</os>", "<smbios mode='host'/></os>"))
    with pytest.raises(RoostError, match="Host SMBIOS information is not available"):
        translated(document)


def test_added_while_the_guest_runs() -> None:
    document = completed(
        domain(
            "<shmem name='s'><model type='ivshmem-doorbell'/><server path='/run/s'/></shmem>"
            "<crypto model='virtio' type='qemu'><backend model='builtin'/></crypto><vsock><cid address='7'/></vsock>"
        )
    )
    live = make_live(document, 1, Path("/channel"))
    (shmem,), (crypto,), vsock = live.devices.shmems, live.devices.cryptos, live.devices.vsock
    assert vsock is not None
    names = [command.name for command in plan.device_add(shmem, live, CAPS, plan.Grants())]
    assert names == ["chardev-add", "device_add"]
    names = [command.name for command in plan.device_add(crypto, live, CAPS, plan.Grants())]
    assert names == ["object-add", "device_add"]
    commands = plan.device_add(vsock, live, CAPS, plan.Grants(fds={"vsock0": (11,)}, ports={"vsock0": 7}))
    assert [command.name for command in commands] == ["getfd", "device_add"]
    assert commands[1].arguments["vhostfd"] == commands[0].arguments["fdname"]
