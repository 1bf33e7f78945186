"""Documents of processors, compared, joined and expanded."""

from __future__ import annotations

import pytest

from roost.constants import cpu as C
from roost.errors import (
    ConfigUnsupported,
    CpuIncompatible,
    InternalError,
    InvalidArg,
    NoSupport,
    OperationFailed,
    RoostError,
    XmlError,
)
from roost.model.cpu import x86
from roost.model.cpu.baseline import baseline, expand, without_host_only
from roost.model.cpu.compare import compare, features_of
from roost.model.cpu.document import Processor, format_processor, parse_processor
from roost.model.cpu.expand import as_started, expand_for_start, refuse_unknown_features, verify_invariant_tsc
from roost.model.domain.cpu import Cpu, CpuFeature, CpuModel


def host(model: str, *features: str, vendor: str = "") -> Processor:
    named = f"<vendor>{vendor}</vendor>" if vendor else ""
    inside = "".join(f"<feature name='{name}'/>" for name in features)
    return parse_processor(f"<cpu><arch>x86_64</arch><model>{model}</model>{named}{inside}</cpu>")


def guest(model: str, *features: str, attributes: str = "", vendor: str = "") -> Processor:
    named = f"<vendor>{vendor}</vendor>" if vendor else ""
    pairs = [feature.split(":") for feature in features]
    inside = "".join(f"<feature policy='{policy}' name='{name}'/>" for policy, name in pairs)
    return parse_processor(f"<cpu {attributes}><model>{model}</model>{named}{inside}</cpu>")


HOST = host("Haswell", "vmx", "invtsc", vendor="Intel")


@pytest.mark.parametrize(
    ("cpu", "result"),
    [
        (HOST, C.COMPARE_IDENTICAL),
        (host("Haswell"), C.COMPARE_SUPERSET),
        (host("Haswell", "xop"), C.COMPARE_INCOMPATIBLE),
        (guest("Penryn"), C.COMPARE_SUPERSET),
        (guest("Penryn", attributes="match='strict'"), C.COMPARE_INCOMPATIBLE),
        (guest("Haswell", "require:vmx", "require:invtsc", attributes="match='strict'"), C.COMPARE_IDENTICAL),
        (guest("Penryn", "forbid:avx2"), C.COMPARE_INCOMPATIBLE),
        (guest("Penryn", "forbid:xop"), C.COMPARE_SUPERSET),
        (guest("Opteron_G4", "disable:xop"), C.COMPARE_INCOMPATIBLE),
        (guest("Haswell", "optional:xop", "force:tbm"), C.COMPARE_SUPERSET),
        (guest("Penryn", vendor="AMD"), C.COMPARE_INCOMPATIBLE),
        (Processor(arch="aarch64", model=CpuModel(name="x")), C.COMPARE_INCOMPATIBLE),
    ],
)
def test_compare(cpu: Processor, result: int) -> None:
    assert compare(HOST, cpu) == result
    if result == C.COMPARE_INCOMPATIBLE:
        with pytest.raises(CpuIncompatible, match=r"the CPU is incompatible with host CPU: .+"):
            compare(HOST, cpu, fail=True)


def test_incompatibility_names_the_features() -> None:
    with pytest.raises(CpuIncompatible, match="Host CPU does not provide required features: sse4a, xop"):
        compare(HOST, guest("Penryn", "require:xop", "require:sse4a"), fail=True)
    with pytest.raises(CpuIncompatible, match="unknown host CPU"):
        compare(Processor(), guest("Penryn"), fail=True)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(InternalError, match="Unknown CPU model Penrin") as caught:
        compare(HOST, guest("Penrin"))
    assert "Penryn" in caught.value.hint
    with pytest.raises(InternalError, match="Unknown CPU feature foo"):
        compare(HOST, guest("Penryn", "require:foo"))


@pytest.mark.parametrize(
    ("xml", "error", "text"),
    [
        ("<cpu><arch>x86_64</arch></cpu>", XmlError, "Missing CPU model name"),
        ("<cpu><arch>vax</arch><model>x</model></cpu>", ConfigUnsupported, "Unknown architecture vax"),
        ("<cpu match='exact'><arch>x86_64</arch><model>x</model></cpu>", XmlError, "'arch' element cannot be used"),
        ("<cpu mode='custom'><arch>x86_64</arch><model>x</model></cpu>", ConfigUnsupported, "only allowed for guest"),
        ("<cpu migratable='on'><model>x</model></cpu>", ConfigUnsupported, "Attribute migratable is only allowed"),
        ("<cpu><vendor>Intel</vendor></cpu>", XmlError, "CPU vendor specified without CPU model"),
        ("<cpu><feature name='aes'/></cpu>", XmlError, "Non-empty feature list specified without CPU model"),
        ("<cpu><model>x</model><feature name=''/></cpu>", XmlError, "Invalid CPU feature name"),
        (
            "<cpu><model>x</model><feature name='aes'/><feature name='aes'/></cpu>",
            XmlError,
            "CPU feature 'aes' specified more than once",
        ),
        ("<cpu mode='best'/>", ConfigUnsupported, "Invalid mode attribute 'best'"),
        ("<cpu><arch>x86_64</arch><model>x</model><microcode version='x'/></cpu>", ConfigUnsupported, "microcode"),
    ],
)
def test_documents_that_are_refused(xml: str, error: type[RoostError], text: str) -> None:
    with pytest.raises(error, match=text):
        parse_processor(xml)


def test_a_hosts_document_is_asked_for() -> None:
    with pytest.raises(XmlError, match="Missing CPU architecture"):
        parse_processor("<cpu><model>Penryn</model></cpu>", host=True)


def test_a_document_comes_back_as_it_was() -> None:
    text = """<cpu>
  <arch>x86_64</arch>
  <model>Penryn</model>
  <vendor>Intel</vendor>
  <microcode version='7'/>
  <signature family='6' model='23' stepping='3'/>
  <counter name='tsc' frequency='2000000000' scaling='no'/>
  <topology sockets='1' dies='1' cores='2' threads='1'/>
  <maxphysaddr mode='emulate' bits='46'/>
  <feature name='vmx'/>
  <pages unit='KiB' size='4'/>
</cpu>
"""
    assert format_processor(parse_processor(text)) == text


# -- baseline ----------------------------------------------------------------------------------


def test_the_baseline_of_one_is_itself() -> None:
    found = baseline([HOST])
    assert found.model == CpuModel(fallback="forbid", name="Haswell")
    assert found.vendor == "Intel"
    assert features_of(found) == features_of(HOST)


def test_what_several_have_in_common() -> None:
    found = baseline([host("Haswell", "xop"), host("SandyBridge")])
    assert found.vendor is None
    assert found.model is not None
    assert found.model.fallback == "allow"
    assert features_of(found) == x86.model("Haswell").features & x86.model("SandyBridge").features


def test_what_a_hypervisor_has_limits_the_baseline() -> None:
    found = baseline([HOST], known={"Penryn": (), "Haswell": ()}, features=x86.model("Penryn").features)
    assert features_of(found) == features_of(HOST) & x86.model("Penryn").features


@pytest.mark.parametrize(
    ("cpus", "error", "text"),
    [
        ([HOST, host("EPYC")], OperationFailed, "CPU vendors do not match"),
        ([host("Haswell"), host("EPYC", vendor="Intel")], OperationFailed, "CPU vendor AMD of model EPYC differs"),
        ([host("486", vendor="VIA")], OperationFailed, "Unknown CPU vendor VIA"),
        ([Processor(arch="x86_64")], InvalidArg, "no CPU model specified at index 0"),
        ([Processor(arch="aarch64", model=CpuModel(name="x"))], NoSupport, "'aarch64' architecture"),
    ],
)
def test_no_baseline(cpus: list[Processor], error: type[RoostError], text: str) -> None:
    with pytest.raises(error, match=text):
        baseline(cpus)


def test_nothing_in_common() -> None:
    with pytest.raises(OperationFailed, match="CPUs are incompatible"):
        baseline([HOST], features=["xop"])


def test_expanding_writes_everything_out_in_order() -> None:
    shown = expand(baseline([host("EPYC", "invtsc")]))
    names = [feature.name for feature in shown.features]
    assert names == sorted(names)
    assert x86.model("EPYC").features | {"invtsc", "monitor"} == set(names)
    assert {feature.name for feature in shown.features if feature.policy == "disable"} == {"monitor"}
    of_host = expand(host("Penryn", "aes"))
    assert all(feature.policy == "require" for feature in of_host.features)


def test_what_no_guest_gets_is_left_out() -> None:
    found = without_host_only(baseline([host("Penryn", "osxsave", "aes")]))
    assert [feature.name for feature in found.features] == ["aes"]


# -- a guest's start ---------------------------------------------------------------------------

FULL = guest("Haswell", "require:vmx", vendor="Intel")
KNOWN = {"Haswell": (), "Penryn": (), "qemu64": ()}


def started(cpu: Cpu, features: frozenset[str] | None = None, full: Processor | None = FULL) -> Cpu:
    return expand_for_start(cpu, full=full, migratable=full, known=KNOWN, features=features)


def named(name: str, *features: CpuFeature, mode: str = "custom", **options: str) -> Cpu:
    model = CpuModel(name=name, fallback="allow")
    return Cpu(mode=mode, model=model, features=features, **options)  # type: ignore[arg-type]  # words of the document


def feature(policy: str, name: str) -> CpuFeature:
    return CpuFeature(policy=policy, name=name)  # type: ignore[arg-type]  # words of the document


def test_host_model_becomes_a_model_by_name() -> None:
    found = started(
        Cpu(mode="host-model", check="partial", features=(feature("disable", "vmx"), feature("require", "aes")))
    )
    assert (found.mode, found.match, found.vendor) == ("custom", "exact", "Intel")
    assert found.model == CpuModel(fallback="forbid", name="Haswell")
    assert found.features == (feature("disable", "vmx"), feature("require", "aes"))


def test_minimum_keeps_its_own_vendor() -> None:
    found = started(named("Penryn", match="minimum"))
    assert found.model is not None
    assert found.model.name == "Haswell"
    assert found.vendor is None


def test_optional_features_are_decided() -> None:
    found = started(named("Penryn", feature("optional", "vmx"), feature("optional", "xop"), check="none"))
    assert found.features == (feature("require", "vmx"), feature("disable", "xop"))


def test_host_modes_stay_as_they_are() -> None:
    assert started(Cpu(mode="host-passthrough")) == Cpu(mode="host-passthrough")
    given = Cpu(
        mode="maximum",
        features=(feature("disable", "secret"), feature("require", "osxsave"), feature("require", "aes")),
    )
    assert started(given, features=frozenset(("aes",))).features == (feature("require", "aes"),)


def test_a_partial_check_compares() -> None:
    with pytest.raises(CpuIncompatible, match="does not provide required features"):
        started(named("Penryn", feature("require", "xop"), check="partial"))
    with pytest.raises(CpuIncompatible, match="Host CPU provides forbidden feature 'vmx'"):
        started(named("Penryn", feature("forbid", "vmx"), check="full"))
    assert started(named("Penryn", feature("forbid", "vmx"), check="none")).features == (feature("forbid", "vmx"),)


def test_models_that_the_hypervisor_lacks() -> None:
    found = started(named("Westmere", feature("disable", "aes"), check="none"))
    assert found.model is not None
    assert found.model.name == "Penryn"
    assert feature("require", "sse4.2") in found.features
    with pytest.raises(ConfigUnsupported, match="CPU model Westmere is not supported by hypervisor"):
        started(Cpu(mode="custom", check="none", model=CpuModel(name="Westmere", fallback="forbid")))


def test_without_a_host_model_there_is_nothing_to_stand_for() -> None:
    with pytest.raises(ConfigUnsupported, match="unknown host CPU model"):
        started(Cpu(mode="host-model"), full=None)


def test_removed_features_are_switched_off() -> None:
    assert (
        feature("disable", "monitor")
        in expand_for_start(named("EPYC", check="none"), full=None, migratable=None, known=None, features=None).features
    )


def test_names_are_checked() -> None:
    refuse_unknown_features(named("Pentium4", feature("disable", "aes")))
    with pytest.raises(ConfigUnsupported, match="unknown CPU feature: pclmulqdq") as caught:
        refuse_unknown_features(named("Penryn", feature("require", "pclmulqdq")))
    assert "pclmuldq" in caught.value.hint
    with pytest.raises(InternalError, match="Unknown CPU model Penrin") as refused:
        started(named("Penrin", check="none"))
    assert "Penryn" in refused.value.hint


# -- after it ----------------------------------------------------------------------------------

PENRYN = x86.model("Penryn").features


def test_what_qemu_changed_is_shown() -> None:
    found = as_started(named("Penryn", check="none"), PENRYN - {"cx16"} | {"hypervisor"}, frozenset(("vme",)))
    assert found.check == "full"
    assert found.features == (feature("disable", "vme"), feature("disable", "cx16"), feature("require", "hypervisor"))


def test_a_full_check_refuses_changes() -> None:
    cpu = named("Penryn", check="full")
    assert as_started(cpu, PENRYN, frozenset()) == cpu
    with pytest.raises(OperationFailed, match="extra features: aes, missing features: cx16"):
        as_started(cpu, PENRYN - {"cx16"} | {"aes"}, frozenset())


def test_host_modes_are_left_alone_unless_checked() -> None:
    passed = Cpu(mode="host-passthrough", check="none")
    assert as_started(passed, PENRYN, frozenset()) is passed
    checked = Cpu(mode="maximum", check="full", features=(feature("require", "xop"), feature("disable", "aes")))
    with pytest.raises(OperationFailed, match="extra features: aes, missing features: xop"):
        as_started(checked, PENRYN | {"aes"}, frozenset())


def test_an_invariant_clock_is_given_or_refused() -> None:
    verify_invariant_tsc(named("Penryn"), PENRYN)
    verify_invariant_tsc(Cpu(mode="maximum", features=(feature("require", "invtsc"),)), PENRYN | {"invtsc"})
    with pytest.raises(ConfigUnsupported, match="host doesn't support invariant TSC"):
        verify_invariant_tsc(named("Penryn", feature("require", "invtsc")), PENRYN)
