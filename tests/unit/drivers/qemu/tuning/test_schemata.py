"""What is left of caches, and who gets which part."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.drivers.qemu.tuning import schemata
from roost.drivers.qemu.tuning.schemata import Place, Schemata, Shared, Supply, Wanted
from roost.errors import ConfigUnsupported, From, InternalError
from roost.host.api import CacheType, HostControl

MIB = 1 << 20
L3 = Place(3, "both", 0)
#: Two caches of 16 parts, 1 MiB each, of which a group has two or more; bandwidth in steps of ten.
HOST = Supply({(3, "both"): Shared(16 * MIB, 16, 2)}, {3: frozenset((0, 1))}, HostControl(10, 20, None, 8), 2, True)
DEFAULT = Schemata({L3: 0x000F, Place(3, "both", 1): 0x000F}, {0: 100, 1: 100})


def assigned(
    supply: Supply = HOST,
    groups: Mapping[str, Schemata] = MappingProxyType({}),
    sizes: Mapping[Place, int] = MappingProxyType({}),
    bandwidths: Mapping[int, int] = MappingProxyType({}),
) -> Schemata:
    return schemata.assign(supply, {"": DEFAULT, **groups}, Wanted(sizes, bandwidths))


def test_the_kernels_words() -> None:
    text = "    MB:0=100;1= 20\n L3DATA:0=00ff0;1=1\nL3CODE:0=3\n    L2:7=f\nSMBA:0=2048\n"
    found = schemata.parse(text)
    assert found == Schemata(
        {Place(3, "data", 0): 0xFF0, Place(3, "data", 1): 1, Place(3, "code", 0): 3, Place(2, "both", 7): 15},
        {0: 100, 1: 20},
    )
    assert schemata.format(found) == "L2:7=f\nL3CODE:0=3\nL3DATA:0=ff0;1=1\nMB:0=100;1=20\n"
    assert schemata.format(Schemata()) == ""


@pytest.mark.parametrize("line", ["L3:0=xyz", "L3:a=1", "MB:0=much"])
def test_words_that_nobody_knows(line: str) -> None:
    with pytest.raises(InternalError, match="Cannot parse resctrl schema") as caught:
        schemata.parse(line)
    assert caught.value.domain == From.RESCTRL


PLACES = st.builds(Place, st.integers(1, 4), st.sampled_from(("both", "code", "data")), st.integers(0, 300))


@given(st.dictionaries(PLACES, st.integers(1, 2**32 - 1)), st.dictionaries(st.integers(0, 300), st.integers(0, 10**6)))
def test_written_and_read(masks: dict[Place, int], bandwidths: dict[int, int]) -> None:
    assert schemata.parse(schemata.format(Schemata(masks, bandwidths))) == Schemata(masks, bandwidths)


@given(st.integers(0, 2**24 - 1), st.integers(1, 24))
def test_the_shortest_run_that_has_room(mask: int, length: int) -> None:
    found = schemata.smallest_run(mask, length)
    bits = [bool(mask >> place & 1) for place in range(25)]
    starts = [place for place in range(25) if all(bits[place : place + length]) and place + length <= 24]
    if found is None:
        assert not starts
        return
    assert found in starts
    assert found == 0 or not bits[found - 1]

    def run(start: int) -> int:
        low, high = start, start
        while low and bits[low - 1]:
            low -= 1
        while bits[high]:
            high += 1
        return high - low

    assert run(found) == min(map(run, starts))


@given(st.lists(st.integers(0, 2**16 - 1), max_size=4), st.integers(2, 15))
def test_nobody_loses_a_part(others: list[int], parts: int) -> None:
    groups = {str(number): Schemata({L3: mask}) for number, mask in enumerate(others)}
    left = schemata.free(HOST, [DEFAULT, *groups.values()])[L3]
    try:
        mask = assigned(groups=groups, sizes={L3: parts * MIB}).masks[L3]
    except ConfigUnsupported:
        assert schemata.smallest_run(left, parts) is None
        return
    assert mask.bit_count() == parts
    assert mask & left == mask
    assert f"{mask:b}".strip("0").count("0") == 0


def test_a_new_group() -> None:
    """Of what it does not name it has what everybody has."""
    other = {"other": Schemata({L3: 0x00F0})}
    made = assigned(groups=other, sizes={L3: 3 * MIB}, bandwidths={1: 30})
    assert schemata.format(made) == "L3:0=700;1=f\nMB:0=100;1=30\n"


def cdp() -> Supply:
    kinds: tuple[CacheType, ...] = ("code", "data")
    return HOST._replace(caches={(3, kind): Shared(16 * MIB, 16, 1) for kind in kinds})


@pytest.mark.parametrize(
    ("supply", "sizes", "bandwidths", "words"),
    [
        (HOST, {Place(2, "both", 0): MIB}, {}, "Cache level 2 does not support tuning; level 3 does"),
        (
            HOST, {Place(3, "code", 0): MIB}, {},
            "Cache level 3 does not support tuning for scope type 'code'; "
            "type both does: resctrl is mounted without its option cdp",
        ),
        (
            cdp(), {L3: MIB}, {},
            "Cache level 3 does not support tuning for scope type 'both'; "
            "type code and data does: resctrl is mounted with its option cdp",
        ),
        (HOST, {Place(3, "both", 2): MIB}, {}, "Cache with id 2 does not exists for level 3; there are 0, 1"),
        (
            HOST, {L3: 16 * MIB}, {},
            "Cache allocation for the whole cache is not possible, specify size smaller than 16777216",
        ),
        (
            HOST, {L3: 3 * MIB + 1024}, {},
            "Cache allocation of size 3146752 is not divisible by granularity 1048576; 4194304 would be",
        ),
        (
            HOST, {L3: MIB}, {},
            "Cache allocation of size 1048576 is smaller than the minimum allowed allocation 2097152",
        ),
        (
            HOST, {L3: 13 * MIB}, {},
            "Not enough room for allocation of 13631488 bytes for level 3 cache 0 scope type 'both'; take parts of "
            "the cache from /sys/fs/resctrl/schemata, which all other tasks have, or from other groups",
        ),
        (
            HOST._replace(bandwidth=None), {}, {0: 50},
            "RDT Memory Bandwidth allocation unsupported; drop the <node>s of <memorytune>",
        ),
        (
            HOST, {}, {0: 55},
            "Memory Bandwidth allocation of size 55 is not divisible by granularity 10; 60 would be",
        ),
        (HOST, {}, {0: 10}, "Memory Bandwidth allocation of size 10 is smaller than the minimum allowed allocation 20"),
        (HOST, {}, {2: 50}, "bandwidth controller id 2 does not exist, max controller id 1"),
    ],
)  # fmt: skip
def test_what_is_not_to_be_had(supply: Supply, sizes: dict[Place, int], bandwidths: dict[int, int], words: str) -> None:
    with pytest.raises(ConfigUnsupported) as caught:
        assigned(supply, sizes=sizes, bandwidths=bandwidths)
    assert str(caught.value).endswith(f": {words}")
    assert caught.value.domain == From.RESCTRL
