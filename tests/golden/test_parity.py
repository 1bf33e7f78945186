"""Documents as users write them, and what libvirt 9.0 makes of them: shown again with its defaults, translated for
QEMU, or refused. `support/parity.py` says how the corpus is kept, and what makes it.
"""

from __future__ import annotations

import pytest

from roost.errors import RoostError
from roost.model.domain import format, parse
from roost.model.domain.complete import complete
from support import machines, native, parity
from support.parity import Case
from support.peer import Peer

ALL = parity.cases()
RECORDED = {case: case.recorded() for case in ALL}
DIFFERENCES = {case: case.difference() for case in ALL}
ACCEPTED = [case for case in ALL if RECORDED[case].kept is not None and DIFFERENCES[case].get("ours") != "refused"]
REFUSED_LATER = [case for case in ACCEPTED if DIFFERENCES[case].get("args") == "refused"]
TRANSLATED = [case for case in ACCEPTED if RECORDED[case].args is not None and case not in REFUSED_LATER]
REFUSED = [case for case in ALL if RECORDED[case].refused is not None and not DIFFERENCES[case].get("ours")]
OUR_WAY = [case for case in ALL if DIFFERENCES[case].get("ours") == "refused"]


def kept_by_us(case: Case) -> str:
    """What libvirt shows, with the lines that differ on purpose."""
    text = RECORDED[case].kept
    assert text is not None
    for theirs, ours in DIFFERENCES[case].get("kept", ()):
        assert "\n".join(theirs) in text
        text = text.replace("\n".join(theirs), "\n".join(ours))
    return text


@pytest.mark.parametrize("case", ACCEPTED, ids=str)
def test_kept(case: Case) -> None:
    assert format(parity.completed(case.written())) == kept_by_us(case)


@pytest.mark.parametrize("case", ACCEPTED, ids=str)
def test_completing_again_changes_nothing(case: Case) -> None:
    kept = kept_by_us(case)
    document = parse(kept)
    assert format(complete(document, machines.facts(document.os.arch or "x86_64"))) == kept


@pytest.mark.parametrize("case", TRANSLATED, ids=str)
def test_translated(case: Case) -> None:
    theirs = RECORDED[case].args
    assert theirs is not None
    theirs = parity.replaced(theirs, DIFFERENCES[case].get("args", ()))
    ours = parity.our_args(parity.completed(case.written()))
    assert sorted(ours) == sorted(theirs)
    if not DIFFERENCES[case].get("args"):
        assert native.devices_in_order(ours) == native.devices_in_order(theirs)


@pytest.mark.parametrize("case", REFUSED_LATER, ids=str)
def test_not_translated(case: Case) -> None:
    document = parity.completed(case.written())
    with pytest.raises(RoostError):
        parity.our_args(document)


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_refused(case: Case) -> None:
    with pytest.raises(RoostError) as caught:
        parity.completed(case.written())
    refused = RECORDED[case].refused
    assert refused is not None
    code, origin, text = refused
    assert (caught.value.code, caught.value.message[: len(text)]) == (code, text)
    assert caught.value.domain in (origin, None)


@pytest.mark.parametrize("case", OUR_WAY, ids=str)
def test_refused_in_our_own_way(case: Case) -> None:
    with pytest.raises(RoostError):
        parity.completed(case.written())


def test_every_document_is_accounted_for() -> None:
    assert set(ALL) == set(ACCEPTED) | set(REFUSED) | {case for case in ALL if DIFFERENCES[case].get("ours")}
    assert all(known["why"] for known in DIFFERENCES.values() if known)
    names = {(case.family, case.name) for case in ALL}
    for family in {case.family for case in ALL}:
        for what in ("refused", "untranslated", "differences"):
            assert {(family, name) for name in parity.listed(family, what)} <= names


def test_nearly_all_agree() -> None:
    differing = [case for case in ALL if DIFFERENCES[case]]
    assert len(differing) <= 0.03 * len(ALL)


@pytest.mark.peer
def test_libvirt_still_says_the_same() -> None:
    with Peer() as peer:
        answers = parity.ask(ALL, peer)
    differing = {
        case: answer for case, answer in answers.items() if _lasting(answer, case) != _lasting(RECORDED[case], case)
    }
    assert not differing


def _lasting(answer: parity.Answer, case: Case) -> parity.Answer:
    """An answer without what differs from one time to the next."""
    written = case.written()
    return answer._replace(
        kept=answer.kept and parity.without_chance(answer.kept, written),
        args=answer.args and [parity.without_chance(line, written) for line in answer.args],
    )
