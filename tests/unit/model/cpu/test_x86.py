"""The tables, and names made of features."""

from __future__ import annotations

import pytest

from roost.errors import ConfigUnsupported, InternalError, InvalidArg, NoSupport
from roost.model.cpu import x86
from roost.model.cpu.arches import ARCHES, known_names, model_names, vendor_of, word_size
from roost.model.cpu.decode import Description, Make, decode
from roost.model.cpu.x86_features import FEATURES


def test_every_feature_has_a_bit_of_its_own() -> None:
    places = [feature[1:] for feature in FEATURES]
    assert len(set(places)) == len(places) == len({feature.name for feature in FEATURES})


def test_every_model_is_made_of_known_features() -> None:
    for model in x86.models().values():
        assert all(map(x86.is_feature, model.features)), model.name
        assert all(map(x86.is_feature, model.removed)), model.name
        assert model.vendor in ("", *x86.VENDORS)
        assert model.features


def test_models_differ_from_their_base_as_written() -> None:
    ivy, sandy = x86.model("IvyBridge").features, x86.model("SandyBridge").features
    assert "rdrand" in ivy - sandy
    assert "hle" not in x86.model("Haswell-noTSX").features
    assert "hle" in x86.model("Haswell").features


def test_names_that_are_not_known_come_with_the_nearest() -> None:
    with pytest.raises(InternalError, match="Unknown CPU model haswell") as caught:
        x86.model("haswell")
    assert "Haswell" in caught.value.hint
    with pytest.raises(InternalError, match="Unknown CPU feature sse5"):
        x86.check_feature("sse5")
    assert "virsh domcapabilities" in x86.nearest("?", ("aes",))


@pytest.mark.parametrize(
    ("eax", "expected"),
    [(0x000906EA, (6, 158, 10)), (0x00A10F11, (25, 17, 1)), (0x00000543, (5, 4, 3)), (0x00800F12, (23, 1, 2))],
)
def test_signatures(eax: int, expected: tuple[int, int, int]) -> None:
    assert x86.signature_of(eax) == expected


def test_steppings_tell_apart_what_shares_a_number() -> None:
    made = x86.Signature(6, 85, 7)
    assert x86.model("Cascadelake-Server").is_made_as(made)
    assert not x86.model("Skylake-Server").is_made_as(made)
    assert not x86.model("Haswell").is_made_as(made)


def test_features_are_found_in_cpuid() -> None:
    words = {(0x1, 0, "edx"): 0b101, (0x7, 0, "ebx"): 1 << 5, (0x10A, 0, "msr"): 1}
    assert x86.features_in(words) == {"fpu", "de", "avx2", "rdctl-no"}
    assert "rdctl-no" in x86.msr_features()


def test_spellings_go_both_ways() -> None:
    for feature in FEATURES:
        assert x86.from_qemu(x86.to_qemu(feature.name)) == feature.name


@pytest.mark.parametrize("name", [model.name for model in x86.models().values() if model.for_guests])
def test_a_model_is_described_by_its_own_name(name: str) -> None:
    model = x86.model(name)
    found = decode(Make(model.features, model.vendor), preferred=[name])
    assert (found.model, found.require, found.disable) == (name, (), model.removed)


def test_a_host_is_described_without_taking_away() -> None:
    features = x86.model("Haswell").features - {"rtm"} | {"invtsc", "osxsave"}
    found = decode(Make(features, "Intel"), host=True)
    assert found.disable == ()
    assert features == x86.model(found.model).features | set(found.require)


def test_broken_transactions_are_not_seen() -> None:
    broken = Make(x86.model("Haswell").features, "Intel", x86.Signature(6, 60, 3))
    assert decode(broken).model == "Haswell-noTSX"
    assert decode(broken._replace(signature=x86.Signature(6, 63, 4))).model == "Haswell"


def test_the_make_decides_before_the_number_of_features() -> None:
    features = x86.model("Nehalem").features
    assert decode(Make(features, "Intel", x86.Signature(6, 44, 1))).model.startswith("Westmere")


def test_a_hypervisor_limits_the_models() -> None:
    make = Make(x86.model("Haswell").features, "Intel")
    assert decode(make, known={"Penryn": (), "Conroe": ()}).model == "Penryn"
    assert "avx2" in decode(make, known={"Penryn": ("avx2", "mystery")}).require
    assert "xop" in decode(make, known={"Penryn": ("xop",)}).disable
    with pytest.raises(ConfigUnsupported, match="CPU model Haswell is not supported by hypervisor"):
        decode(make, known={"Penryn": ()}, preferred=["Haswell"], fallback=False)
    with pytest.raises(InternalError, match="Cannot find suitable CPU model"):
        decode(make, known={})


def test_what_cannot_migrate_is_left_out() -> None:
    make = Make(x86.model("Penryn").features | {"invtsc", "aes"}, "Intel")
    assert decode(make, preferred=["Penryn"], migratable=True).require == ("aes",)
    assert decode(make, preferred=["Penryn"]).require == ("aes", "invtsc")


def test_cost_counts_the_first_half_of_what_is_taken_away() -> None:
    assert Description("x", "", ("a",), ()).cost() == (1, 0)
    assert Description("x", "", ("a",), ("b",)).cost() == (3, 2)
    assert Description("x", "", (), ("b", "c", "d")).cost() == (6, 5)


def test_architectures() -> None:
    assert model_names("x86_64") == model_names("i686")
    assert model_names("x86_64")[0] == "486"
    assert model_names("aarch64") == ()
    assert "POWER9" in model_names("ppc64le")
    with pytest.raises(NoSupport, match="'alpha' architecture is not supported by CPU driver"):
        model_names("alpha")
    with pytest.raises(InvalidArg, match="cannot find architecture vax"):
        model_names("vax")
    assert known_names("aarch64") is None
    assert known_names("alpha") == frozenset()
    assert [word_size(arch) for arch in ("x86_64", "i686", "s390")] == [64, 32, 31]
    assert vendor_of("x86_64", "EPYC") == "AMD"
    assert vendor_of("x86_64", "nobody") == vendor_of("aarch64", "cortex-a57") == ""
    assert vendor_of("ppc64", "POWERPC_e6500") == "Freescale"
    assert len(set(ARCHES)) == len(ARCHES)
