from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from roost.errors import InternalError, OperationFailed, OperationInvalid
from roost.model.domain import parse
from roost.model.domain.domain import Domain
from roost.model.domain.firmware import (
    FirmwareDescriptor,
    is_selected_at_start,
    parse_descriptor,
    select,
    with_firmware,
)


def descriptor(name: str, *features: str, machines: tuple[str, ...] = ("pc-q35-*",), **mapping: Any) -> bytes:
    flash = {
        "device": "flash",
        "executable": {"filename": f"/fw/{name}.fd", "format": "raw"},
        "nvram-template": {"filename": f"/fw/{name}-vars.fd", "format": "raw"},
    }
    return json.dumps(
        {
            "description": name,
            "interface-types": ["uefi"],
            "mapping": flash | mapping,
            "targets": [{"architecture": "x86_64", "machines": machines}],
            "features": features,
            "tags": [],
        }
    ).encode()


def read(name: str, *features: str, **options: Any) -> FirmwareDescriptor:
    return parse_descriptor(descriptor(name, *features, **options), f"/descriptors/{name}.json")


ENROLLED = read("enrolled", "acpi-s3", "enrolled-keys", "requires-smm", "secure-boot")
SECURE = read("secure", "acpi-s3", "requires-smm", "secure-boot")
PLAIN = read("plain", "acpi-s3", machines=("pc-q35-*", "pc-i440fx-*"))
STATELESS = read("stateless", mode="stateless")
ALL = (ENROLLED, SECURE, PLAIN, STATELESS)


def domain(os: str = "<os firmware='efi'>", inside: str = "", rest: str = "", machine: str = "pc-q35-7.2") -> Domain:
    return parse(
        f"<domain type='qemu'><name>uefi</name><memory>1</memory>{os}<type arch='x86_64' machine='{machine}'>hvm</type>"
        f"{inside}</os>{rest}</domain>"
    )


def feature(name: str, enabled: str) -> str:
    return f"<firmware><feature name='{name}' enabled='{enabled}'/></firmware>"


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (domain(), ENROLLED),
        (domain(inside=feature("secure-boot", "yes")), ENROLLED),
        (domain(inside=feature("enrolled-keys", "no")), SECURE),
        (domain(inside=feature("secure-boot", "no")), PLAIN),
        (domain(machine="pc-i440fx-7.2"), PLAIN),
        (domain(inside="<loader stateless='yes'/>"), STATELESS),
        (domain(inside="<loader secure='yes'/>"), ENROLLED),
        (domain("<os>", "<loader readonly='yes' type='pflash'>/fw/secure.fd</loader>"), SECURE),
        (domain("<os>", "<loader readonly='yes' type='pflash'>/fw/other.fd</loader>"), None),
        (domain("<os>", "<loader readonly='yes' type='rom'>/fw/secure.fd</loader>"), None),
    ],
)
def test_the_first_that_satisfies_is_selected(document: Domain, expected: FirmwareDescriptor | None) -> None:
    assert select(document, ALL) is expected


@pytest.mark.parametrize(
    ("document", "hint"),
    [
        (domain(machine="microvm"), "no descriptor on this host is for x86_64 microvm"),
        (domain("<os firmware='bios'>"), "/fw/plain.fd: acpi-s3"),
        (domain(machine="pc-i440fx-7.2", inside=feature("secure-boot", "yes")), "what there is for pc-i440fx-7.2"),
        (domain(rest="<pm><suspend-to-disk enabled='yes'/></pm>"), "/fw/secure.fd: acpi-s3, requires-smm"),
    ],
)
def test_none_that_serves_is_refused_with_what_there_is(document: Domain, hint: str) -> None:
    with pytest.raises(OperationFailed, match=r"Unable to find any firmware to satisfy '(efi|bios)'") as caught:
        select(document, ALL)
    assert hint in str(caught.value.hint)


def test_the_started_document_has_loader_variables_and_smm() -> None:
    live = with_firmware(domain(), ALL, nvram="/nvram/uefi_VARS.fd")
    loader, nvram, features = live.os.loader, live.os.nvram, live.features
    assert live.os.firmware is None
    assert loader is not None
    assert (loader.path, loader.type, loader.readonly, loader.secure) == ("/fw/enrolled.fd", "pflash", True, True)
    assert nvram is not None
    assert (nvram.template, nvram.path) == ("/fw/enrolled-vars.fd", "/nvram/uefi_VARS.fd")
    assert features is not None
    assert features.smm is True


def test_a_path_for_variables_is_kept() -> None:
    given = domain(inside=feature("secure-boot", "no") + "<nvram>/mine/vars.fd</nvram>")
    live = with_firmware(given, ALL, nvram="/nvram/uefi_VARS.fd")
    assert live.os.nvram is not None
    assert (live.os.nvram.template, live.os.nvram.path) == ("/fw/plain-vars.fd", "/mine/vars.fd")
    assert live.os.loader is not None
    assert live.os.loader.secure is None
    assert live.features is None


def test_stateless_firmware_has_no_variables() -> None:
    live = with_firmware(domain(inside="<loader stateless='yes'/>"), ALL, nvram="/nvram/uefi_VARS.fd")
    assert live.os.nvram is None


def test_memory_and_kernel_images() -> None:
    base = domain("<os firmware='bios'>")
    bios = replace(PLAIN, interfaces=("bios",), device="memory", image="/fw/bios.bin")
    loader = with_firmware(base, [bios], nvram="").os.loader
    assert loader is not None
    assert (loader.type, loader.path) == ("rom", "/fw/bios.bin")
    kernel = replace(bios, device="kernel")
    assert with_firmware(base, [kernel], nvram="").os.kernel == "/fw/bios.bin"


def test_smm_switched_off_is_refused() -> None:
    with pytest.raises(OperationInvalid, match="domain has SMM turned off but chosen firmware requires it"):
        with_firmware(domain(rest="<features><smm state='off'/></features>"), ALL, nvram="")


def test_formats() -> None:
    packed = replace(PLAIN, image="/fw/plain.qcow2", format="qcow2", template_format="qcow2")
    assert select(domain(), [packed, PLAIN]) is PLAIN
    asked = domain(inside="<loader format='qcow2'/>")
    live = with_firmware(asked, [PLAIN, packed], nvram="/nvram/uefi_VARS.qcow2")
    assert live.os.loader is not None
    assert (live.os.loader.path, live.os.loader.format) == ("/fw/plain.qcow2", "qcow2")
    assert live.os.nvram is not None
    assert (live.os.nvram.template_format, live.os.nvram.format) == ("qcow2", "qcow2")
    with pytest.raises(OperationFailed):
        select(domain(), [replace(PLAIN, format="vmdk")])


@pytest.mark.parametrize(
    ("security", "image"),
    [
        ("<launchSecurity type='sev'><policy>0x0001</policy></launchSecurity>", "/sev"),
        ("<launchSecurity type='sev'><policy>0x0005</policy></launchSecurity>", "/es"),
        ("<launchSecurity type='sev-snp'><policy>0x00030000</policy></launchSecurity>", "/snp"),
        ("<launchSecurity type='tdx'/>", "/tdx"),
        ("", "/any"),
    ],
)
def test_guests_whose_memory_is_encrypted(security: str, image: str) -> None:
    features = {
        "/any": (),
        "/sev": ("amd-sev",),
        "/es": ("amd-sev", "amd-sev-es"),
        "/snp": ("amd-sev-snp",),
        "/tdx": ("intel-tdx",),
    }
    descriptors = [replace(PLAIN, image=name, features=frozenset(has)) for name, has in features.items()]
    found = select(domain(rest=security), descriptors)
    assert found is not None
    assert found.image == image


def test_when_descriptors_are_asked() -> None:
    old = domain("<os>", "<loader readonly='yes' type='pflash'>/fw/secure.fd</loader>")
    templated = domain(
        "<os>", "<loader readonly='yes' type='pflash'>/fw/secure.fd</loader><nvram template='/t.fd'>/v.fd</nvram>"
    )
    assert is_selected_at_start(domain(), nvram_missing=False)
    assert is_selected_at_start(old, nvram_missing=True)
    assert not is_selected_at_start(old, nvram_missing=False)
    assert not is_selected_at_start(templated, nvram_missing=True)
    assert not is_selected_at_start(domain("<os>"), nvram_missing=True)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (b"{", "unable to parse json file '/d.json'", "truncated"),
        (b"\xff\xfe", "unable to parse json file '/d.json'", ""),
        (b"{}", "malformed firmware descriptor '/d.json'", "interface-types"),
        (descriptor("x", mode="odd"), "malformed firmware descriptor '/d.json'", "odd"),
        (descriptor("x", executable=None), "malformed firmware descriptor '/d.json'", "executable"),
        (
            descriptor("x").replace(b"nvram-template", b"template"),
            "malformed firmware descriptor '/d.json'",
            "nvram-template",
        ),
        (descriptor("x", device="memory"), "malformed firmware descriptor '/d.json'", "filename"),
        (descriptor("x").replace(b"uefi", b"coreboot"), "unknown interface type: 'coreboot'", "bios, openfirmware"),
    ],
)
def test_broken_descriptors_name_the_file_and_the_cure(text: bytes, message: str, hint: str) -> None:
    with pytest.raises(InternalError) as caught:
        parse_descriptor(text, "/d.json")
    assert message in str(caught.value)
    assert hint in str(caught.value.hint)


def test_patterns_know_only_stars_and_question_marks() -> None:
    odd = read("odd", machines=("pc-[q]35-*",))
    assert not odd.serves("x86_64", "pc-q35-7.2")
    assert odd.serves("x86_64", "pc-[q]35-1")
    assert not odd.serves("i686", "pc-[q]35-1")
    assert read("one", machines=("pc-?",)).serves("x86_64", "pc-1")
