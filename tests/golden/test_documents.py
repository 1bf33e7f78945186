"""Documents other than domains as users write them, and what libvirt 9.0 makes of them: shown again with its defaults,
or refused. `support/documents.py` says how the corpus is kept, and what makes it.
"""

from __future__ import annotations

import pytest

from roost.errors import RoostError
from support import documents
from support.documents import Case
from support.peer import Peer, libvirt_result

ALL = [case for kind in documents.KINDS for case in documents.cases(kind)]
DIFFERENCES = {kind: documents.listed(kind, "differences") for kind in documents.KINDS}
REFUSED = {kind: documents.listed(kind, "refused") for kind in documents.KINDS}
ACCEPTED = [case for case in ALL if case.kept_path.exists()]
LIKE_LIBVIRT = [case for case in ALL if case.name in REFUSED[case.kind]]
OUR_WAY = [case for case in ALL if DIFFERENCES[case.kind].get(case.name, {}).get("ours") == "refused"]
COMPARED = [case for case in ALL if case.name not in DIFFERENCES[case.kind] and documents.KINDS[case.kind].script]


@pytest.mark.parametrize("case", ACCEPTED, ids=str)
def test_kept(case: Case) -> None:
    assert case.ours() == case.kept_path.read_text()


@pytest.mark.parametrize("case", ACCEPTED, ids=str)
def test_what_was_kept_stays_as_it_is(case: Case) -> None:
    kept = case.kept_path.read_text()
    assert documents.KINDS[case.kind].again(kept) == kept


@pytest.mark.parametrize("case", LIKE_LIBVIRT, ids=str)
def test_refused(case: Case) -> None:
    with pytest.raises(RoostError) as caught:
        documents.KINDS[case.kind].kept(case.written())
    code, origin, text = REFUSED[case.kind][case.name]
    assert [caught.value.code, caught.value.domain] == [code, origin]
    assert caught.value.message.startswith(text)


@pytest.mark.parametrize("case", OUR_WAY, ids=str)
def test_refused_in_our_own_way(case: Case) -> None:
    with pytest.raises(RoostError):
        documents.KINDS[case.kind].kept(case.written())


def test_every_document_is_accounted_for() -> None:
    assert set(ALL) == {*ACCEPTED, *LIKE_LIBVIRT, *OUR_WAY}
    assert not set(ACCEPTED) & {*LIKE_LIBVIRT, *OUR_WAY}
    for kind in documents.KINDS:
        assert {*DIFFERENCES[kind], *REFUSED[kind]} <= {case.name for case in documents.cases(kind)}
        assert all(known["why"] for known in DIFFERENCES[kind].values())


# Whatever this host has: what libvirt shows of it is read and written the same.
_HAS = """
conn = libvirt.open(sys.argv[1])
print(json.dumps({
    "nodedev": [device.XMLDesc() for device in conn.listAllDevices()],
    "interface": [interface.XMLDesc() for interface in conn.listAllInterfaces()],
}))
"""


@pytest.mark.peer
def test_what_this_host_has_stays_as_it_is(peer: Peer) -> None:
    shown = libvirt_result(_HAS, peer.uri)
    assert shown["nodedev"]
    for kind, texts in shown.items():
        for text in texts:
            # libvirt puts a blank before the end of some empty elements.
            assert documents.KINDS[kind].kept(text) == documents.KINDS[kind].again(text) == text.replace("' />", "'/>")


@pytest.mark.peer
@pytest.mark.parametrize("kind", sorted({case.kind for case in COMPARED}))
def test_libvirt_still_says_the_same(peer: Peer, kind: str) -> None:
    wrong = {}
    for case, answer in documents.ask([case for case in COMPARED if case.kind == kind], peer).items():
        kept = REFUSED[case.kind].get(case.name) or case.kept_path.read_text()
        if answer != kept:
            wrong[str(case)] = answer
    assert not wrong
