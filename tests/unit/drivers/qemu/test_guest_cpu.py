"""<cpu> on the way to QEMU, and from its answers."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from roost.drivers.qemu.capabilities import Capabilities, GuestProcessors
from roost.drivers.qemu.capabilities.record import CpuModel, HostModel
from roost.drivers.qemu.guest_cpu import for_this_host, questions, with_answers, with_processor
from roost.drivers.qemu.qmp import QmpCommandError
from roost.errors import ConfigUnsupported
from roost.model.cpu import x86
from roost.model.cpu.x86_features import FEATURES
from roost.model.domain import Domain, parse
from roost.model.domain.cpu import Cpu

CAPS = Capabilities(
    binary="/q",
    arch="x86_64",
    version=(7, 2, 0),
    package="",
    accelerators=("tcg",),
    machines=(),
    cpu_models=(CpuModel("Penryn"),),
    types=frozenset(("max-x86_64-cpu",)),
    properties={},
    options=frozenset(),
    commands=frozenset(),
    events=frozenset(),
    schema="",
    host_models={
        "qemu": HostModel(
            frozenset(map(x86.to_qemu, x86.model("Penryn").features)),
            frozenset(),
            frozenset(),
            "GenuineIntel",
            6,
            23,
            0,
        )
    },
)


def document(cpu: str, arch: str = "x86_64") -> Domain:
    return parse(
        f"<domain type='qemu'><name>g</name><memory>1</memory><os><type arch='{arch}'>hvm</type></os>{cpu}</domain>"
    )


def expanded(cpu: str, caps: Capabilities = CAPS, arch: str = "x86_64") -> Cpu | None:
    return with_processor(document(cpu, arch), caps, GuestProcessors(caps, "qemu", None), "x86_64").cpu


def test_nothing_is_done_about_a_layout_alone() -> None:
    assert expanded("") is None
    layout = "<cpu><topology sockets='1' cores='2' threads='1'/></cpu>"
    assert expanded(layout) == document(layout).cpu


def test_host_model_is_named() -> None:
    cpu = expanded("<cpu mode='host-model'/>")
    assert cpu is not None
    assert cpu.model is not None
    assert (cpu.mode, cpu.model.name, cpu.vendor) == ("custom", "Penryn", "Intel")


@pytest.mark.parametrize(
    ("cpu", "caps"),
    [
        ("<cpu mode='host-passthrough'/>", CAPS),
        ("<cpu mode='host-model'/>", replace(CAPS, host_models={})),
        ("<cpu mode='maximum'/>", replace(CAPS, types=frozenset())),
        ("<cpu><model>Penryn</model></cpu>", replace(CAPS, cpu_models=())),
    ],
)
def test_modes_that_the_emulator_has_not(cpu: str, caps: Capabilities) -> None:
    with pytest.raises(ConfigUnsupported, match="for x86_64 qemu domain on x86_64 host is not supported by hypervisor"):
        expanded(cpu, caps)


def test_a_document_for_this_host() -> None:
    processors = GuestProcessors(CAPS, "qemu", None)
    shown = for_this_host(document("<cpu mode='host-model' check='partial'/>"), processors).cpu
    assert shown is not None
    assert shown.model is not None
    assert (shown.mode, shown.check, shown.model.name) == ("custom", "partial", "Penryn")
    for same in ("", "<cpu mode='maximum'/>", "<cpu><model>Penryn</model></cpu>"):
        assert for_this_host(document(same), processors).cpu == document(same).cpu


def test_features_are_checked_by_name() -> None:
    with pytest.raises(ConfigUnsupported, match="unknown CPU feature: eas"):
        expanded("<cpu><model>Penryn</model><feature name='eas'/></cpu>")


def test_other_architectures_are_left_as_they_are() -> None:
    given = "<cpu mode='custom'><model>cortex-a57</model></cpu>"
    assert expanded(given, arch="aarch64") == document(given).cpu
    assert questions(document(given, "aarch64"), "/cpu") == ()


def answers(features: frozenset[str], missing: Any) -> list[Any]:
    words: dict[tuple[int, int, str], int] = {}
    for feature in FEATURES:
        if feature.name in features and feature.register != "msr":
            key = (feature.leaf, feature.subleaf, feature.register.upper())
            words[key] = words.get(key, 0) | 1 << feature.bit
    told = [
        {"cpuid-input-eax": leaf, "cpuid-register": register, "features": value}
        | ({"cpuid-input-ecx": subleaf} if subleaf else {})
        for (leaf, subleaf, register), value in words.items()
    ]
    return [told, missing, *(name in features for name in x86.msr_features())]


def test_what_the_guest_sees_is_shown() -> None:
    live = document("<cpu mode='custom' check='none'><model>Penryn</model></cpu>")
    asked = questions(live, "/cpu")
    assert asked[0] == ("qom-get", {"path": "/cpu", "property": "feature-words"})
    features = x86.model("Penryn").features - {"cx16"} | {"hypervisor", "rdctl-no"}
    told = answers(features, ["cx16", "not-ours"])
    assert len(told) == len(asked)
    cpu = with_answers(live, told).cpu
    assert cpu is not None
    assert [(each.policy, each.name) for each in cpu.features] == [
        ("disable", "cx16"), ("require", "hypervisor"), ("require", "rdctl-no"),
    ]  # fmt: skip
    assert cpu.check == "full"


def test_emulators_that_do_not_tell() -> None:
    live = document("<cpu mode='custom' check='none'><model>Penryn</model></cpu>")
    refusal = QmpCommandError("qom-get", "GenericError", "no such property")
    assert with_answers(live, [refusal]) is live
    assert with_answers(live, ()) is live
    cpu = with_answers(live, answers(x86.model("Penryn").features, refusal)).cpu
    assert cpu is not None
    assert cpu.features == ()
