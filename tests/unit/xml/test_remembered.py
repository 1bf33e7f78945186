"""Documents put together of elements met before are the same as documents read as a whole."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roost.errors import RoostError
from roost.model.domain import Domain, format, parse
from roost.model.domain.devices.small import Rng
from roost.xml import document, encode, remembered
from support import parity

HEAD = "<domain type='qemu'><name>a</name><memory>1024</memory><os><type>hvm</type></os>"
DISK = "<disk type='file'><source file='/{0}'/><target dev='vda' bus='virtio'/></disk>"
NONE = "<memballoon model='none'/>"
BALLOON = "<memballoon model='virtio'/>"
ONE, TWO = DISK.format("a>b"), DISK.format("a/>b").replace("vda", "vdb")
CLOCK = "<clock offset='utc'><timer name='rtc' tickpolicy='catchup'/></clock>"
QEMU = " xmlns{0}='http://libvirt.org/schemas/domain/qemu/1.0'"
RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch) -> remembered.Memory:
    """An empty memory, and writers made for it."""
    fresh = remembered.Memory()
    monkeypatch.setattr(remembered, "memory", fresh)
    return fresh


def as_a_whole(text: str, monkeypatch: pytest.MonkeyPatch, *, live: bool = False) -> Domain | str:
    with monkeypatch.context() as patch:
        patch.setattr(document, "section_of", lambda cls: None)
        return outcome(text, live=live)


def outcome(text: str, *, live: bool = False) -> Domain | str:
    try:
        return parse(text, live=live)
    except RoostError as error:
        return f"{error.code} {error.domain} {error.message}"


CASES = parity.cases("guest", "guides", "disk", "storage-image", "chardev", "display", "hostdev", "memdev", "general")


@pytest.mark.parametrize("family", sorted({case.family for case in CASES}))
def test_the_corpus(family: str, monkeypatch: pytest.MonkeyPatch, memory: remembered.Memory) -> None:
    met = 0
    for case in parity.cases(family):
        kept = case.file(".kept.xml")
        for text in (case.written(), kept.read_text() if kept.exists() else ""):
            for live in (False, True):
                wanted = as_a_whole(text, monkeypatch, live=live)
                first, second = outcome(text, live=live), outcome(text, live=live)
                assert first == second == wanted, case
                if isinstance(wanted, Domain) and isinstance(second, Domain):
                    met += len(memory.ids)
                    noted = [format(second), format(second)]
                    memory.forget()
                    assert noted == [format(wanted)] * 2, case
    assert met


PIECES = [
    "<", ">", "/>", "'", '"', "&", "</disk>", "<disk>", "<devices>", "</devices>", "<!--", "-->", "<![CDATA[", "]]>",
    "<?x?>", " ", "x", "<rng/>", "\n", "", "é",
]  # fmt: skip


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 12), st.sampled_from(PIECES))
def test_damaged_documents(monkeypatch: pytest.MonkeyPatch, place: int, length: int, piece: str) -> None:
    (case,) = parity.cases("guest/guest-virt-install")
    text = case.file(".kept.xml").read_text()
    place %= len(text)
    text = text[:place] + piece + text[place + length :]
    assert outcome(text) == as_a_whole(text, monkeypatch)


ODD = {
    "a comment": f"{HEAD}<devices><!-- {RNG} -->{RNG}</devices></domain>",
    "CDATA": f"{HEAD}<description><![CDATA[<devices>{RNG}</devices>]]></description></domain>",
    "an instruction": f"{HEAD}<devices><?x {RNG}?></devices></domain>",
    "two sections": f"{HEAD}<devices>{RNG}</devices><devices>{RNG}</devices></domain>",
    "a section with an attribute": f"{HEAD}<devices x='y'>{RNG}</devices></domain>",
    "an empty section": f"{HEAD}<devices/></domain>",
    "a section of blanks": f"{HEAD}<devices>\n  </devices></domain>",
    "elsewhere": f"{HEAD}<metadata><x:y xmlns:x='urn:x'><devices>{RNG}</devices></x:y></metadata></domain>",
    "deeper": f"{HEAD}<os><devices>{RNG}</devices></os></domain>",
    "another root": f"<network><name>a</name><devices>{RNG}</devices></network>",
    "text between": f"{HEAD}<devices>{RNG}text{RNG}</devices></domain>",
    "inside the unknown": f"{HEAD}<devices><foo>{RNG}</foo></devices></domain>",
    "one inside another": f"{HEAD}<devices><rng model='virtio'><rng>x</rng></rng></devices></domain>",
    "a bracket in a value": f"{HEAD}<devices>{ONE}{TWO}</devices></domain>",
    "a blank before the end": f"{HEAD}<devices>{RNG.replace('</rng>', '</rng >')}{RNG}</devices></domain>",
    "no end": f"{HEAD}<devices><rng model='virtio'></devices></domain>",
    "an end too many": f"{HEAD}<devices>{RNG}</rng></devices></domain>",
    "no end of all": f"{HEAD}<devices>{RNG}</devices>",
    "an unknown entity": f"{HEAD}<devices>{DISK.format('&x;')}</devices></domain>",
    "another encoding": f"<?xml version='1.0' encoding='latin-1'?>{HEAD}<devices>{DISK.format('é')}</devices></domain>",
    "a declaration": f"<?xml version='1.0' encoding='UTF-8'?>\n{HEAD}<devices>{DISK.format('é')}</devices></domain>",
    "a wrong value": f"{HEAD}<devices>{RNG}{DISK.format('a').replace('virtio', 'foo')}</devices></domain>",
    "twice what may be once": f"{HEAD}<devices>{RNG}{NONE}{NONE}</devices></domain>",
    "a comment that holds an end": f"{HEAD}<devices><foo><!-- </foo>{RNG} --></foo></devices></domain>",
    "a section inside its like": f"{HEAD}<cpu><cpu mode='maximum'/>{CLOCK}</cpu><devices>{RNG}</devices></domain>",
    "a section twice": f"{HEAD}{CLOCK}{CLOCK}<devices>{RNG}</devices></domain>",
    "a section in two parts": f"{HEAD}<features><acpi/></features><features><apic/></features><devices/></domain>",
    "a section after the devices": f"{HEAD}<devices>{RNG}</devices>{CLOCK}</domain>",
    "a section with a blank in its end": f"{HEAD}{CLOCK[:-1]} ><pm/>{CLOCK}<devices>{RNG}</devices></domain>",
    "a section where no devices are": f"{HEAD}{CLOCK}</domain>",
    "text in the root": f"{HEAD}text{CLOCK}<devices>{RNG}</devices></domain>",
    "a namespace for all": f"{HEAD.replace(' t', QEMU.format('') + ' t')}{CLOCK}<devices>{RNG}</devices></domain>",
    "a namespace of a section": f"{HEAD}{CLOCK.replace(' o', QEMU.format('') + ' o')}<devices>{RNG}</devices></domain>",
    "a namespace with a prefix": f"{HEAD.replace(' t', QEMU.format(':q') + ' t')}{CLOCK}<devices>{RNG}</devices>"
    "<q:commandline><q:arg value='x'/></q:commandline></domain>",
    "a prefix": f"{HEAD}<devices><x:y xmlns:x='urn:x'/>{RNG}</devices></domain>",
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_odd_documents(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # What is known already must not be found where it does not count.
    parse(f"{HEAD}{CLOCK}<devices>{RNG}{DISK.format('a')}</devices></domain>")
    wanted = as_a_whole(text, monkeypatch)
    assert outcome(text) == wanted
    assert outcome(text) == wanted


def test_records_and_texts_are_shared() -> None:
    first = parse(f"{HEAD}{CLOCK}<devices>{RNG}{DISK.format('a')}{BALLOON}</devices></domain>")
    second = parse(f"{HEAD}{CLOCK}<devices>{RNG}{DISK.format('b')}{BALLOON}</devices></domain>")
    assert first.os is second.os
    assert first.clock is second.clock is not None
    assert first.devices.memballoon is second.devices.memballoon is not None
    assert first.devices.rngs[0] is second.devices.rngs[0]
    assert first.devices.disks[0] is not second.devices.disks[0]
    assert format(first).replace("/a", "/b") == format(second)


def test_ids_are_of_records_that_are_held(memory: remembered.Memory) -> None:
    for live in (False, True):
        parse(f"{HEAD}<devices>{RNG}{RNG}</devices></domain>", live=live)
    said = [each for records in memory.records for each in records.values()]
    assert memory.ids == {id(value) for each in said for value in (each if isinstance(each, tuple) else (each,))}
    assert len([each for each in said if isinstance(each, Rng)]) == 2


def test_devices_of_one_guest_are_never_one_record() -> None:
    text = f"{HEAD}<devices>{RNG}{DISK.format('a')}{RNG}{RNG}</devices></domain>"
    for _ in range(3):
        first, second, third = parse(text).devices.rngs
        assert first == second == third
        assert len({id(first), id(second), id(third)}) == 3


def test_secrets_are_not_kept(memory: remembered.Memory) -> None:
    graphics = "<graphics type='vnc' port='-1' passwd='geheim'/>"
    record = parse(f"{HEAD}<devices>{graphics}{RNG}</devices></domain>")
    assert "geheim" in format(record)
    assert "geheim" not in format(record, secure=False)
    assert not [text for text in memory.records[False] if b"geheim" in text]
    assert [text for text in memory.records[False] if RNG.encode() in text]


def test_a_full_memory_begins_anew(memory: remembered.Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MAX_KEPT", 3)
    for number in range(8):
        record = parse(f"{HEAD}<devices>{DISK.format(number)}</devices></domain>")
        assert f"/{number}'" in format(record)
        assert len(memory.records[False]) <= 3
        assert len(memory.notes.get("    ", {})) <= 3


def test_indentation_is_part_of_a_text(memory: remembered.Memory) -> None:
    domain = parse(f"{HEAD}<devices>{RNG}</devices></domain>")
    out: list[str] = []
    encode.WRITERS[Domain](domain, "domain", out, "    ", True, encode.OPEN)
    assert "        <rng model" in "".join(out)
    assert "\n    <rng model" in format(domain)
    assert "\n    <rng model" in format(domain)
