"""Documents with one thing changed: they are accepted, and then stay as they are kept, or refused in libvirt's way."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.errors import RoostError
from support import documents

KINDS = tuple(documents.KINDS)
WRITTEN = {kind: [case.written() for case in documents.cases(kind)] for kind in KINDS}
VALUE = re.compile(r"=(['\"]).*?\1")
# Like libvirt we show rates of zero as an empty element, which says nothing when it is read again.
FORGOTTEN = re.compile(r"\s*<bandwidth>\s*</bandwidth>")
ELEMENT = re.compile(r"<(\w[\w:-]*)[^<>]*/>")

#: What stands instead of a value: numbers at edges, names of other things, what is nearly right.
ODD = st.sampled_from(
    (
        "", "0", "-1", "1", "65535", "65536", "4294967295", "4294967296", "18446744073709551616", "0x10", "1e3", " 7",
        "yes", "no", "on", "off", "none", "default", "x", "a b", "é", "$IP", "$A[@2]", "$A[", "nat", "bridge", "ipv6",
        "10.0.0.1", "10.1", "255.255.255.0", "255.0.255.0", "fd00::1", "::", "::ffff:1.2.3.4", "fe80::1%eth0",
        "1.2.3.4.5", "52:54:00:11:22:33", "ff:ff:ff:ff:ff:ff", "6c4ce3c0-44fb-4de0-9b51-1b2e9cfa3e8f", "SYN/ACK", "NEW",
        "src,dst", "//a//b/", "relative/path", "raw", "qcow2", "luks", "external", "internal", "manual", "vda", "vdb",
        "hdc", "0755", "GiB", "file", "block", "network", "dir", "volume",
    )
)  # fmt: skip


@st.composite
def changed(draw: st.DrawFn, kind: str) -> str:
    """A golden document with values replaced or an element repeated, dropped or moved to the end of its parent."""
    text = draw(st.sampled_from(WRITTEN[kind]))
    for _ in range(draw(st.integers(1, 3))):
        pattern = draw(st.sampled_from((VALUE, ELEMENT)))
        found = list(pattern.finditer(text))
        if not found:
            continue
        place = draw(st.sampled_from(found))
        if pattern is VALUE:
            instead = f"='{draw(ODD)}'"
        else:
            instead = draw(st.sampled_from(("", place[0] * 2, f"<{place[1]}/>")))
        text = text[: place.start()] + instead + text[place.end() :]
    return text


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_changed(kind: str, data: st.DataObject) -> None:
    text = data.draw(changed(kind))
    kept = None
    # Any other exception fails the test, and so does a refusal of what was kept.
    with contextlib.suppress(RoostError):
        kept = documents.KINDS[kind].kept(text)
    if kept is not None:
        assert documents.KINDS[kind].again(kept) == FORGOTTEN.sub("", kept)
