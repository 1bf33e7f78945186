"""What the names of backing images mean."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.drivers.qemu.backingnames import BadName, source_of
from roost.model.domain.devices.disk import AnyDiskSource, BlockSource, FileSource, NetworkDiskHost, NetworkSource


def network(protocol: str, path: str | None, query: str | None = None, **host: object) -> NetworkSource:
    return NetworkSource(protocol=protocol, name=path, query=query, hosts=(NetworkDiskHost(**host),))  # type: ignore[arg-type]  # spelt out by each case


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("base.qcow2", FileSource(file="/images/base.qcow2")),
        ("../base:1.img", FileSource(file="/base:1.img")),
        ("/other/base.img", FileSource(file="/other/base.img")),
        ("file:///other/a%20b", FileSource(file="/other/a b")),
        ("nbd://host:1234/export", network("nbd", "export", name="host", port=1234)),
        ("nbd+unix:///export?socket=/run/nbd", network("nbd", "export", transport="unix", socket="/run/nbd")),
        ("nbd:host:1234:exportname=e", network("nbd", "e", name="host", port=1234)),
        ("nbd:unix:/run/nbd", network("nbd", None, transport="unix", socket="/run/nbd")),
        ("https://host/a.img?x=1", network("https", "/a.img", "x=1", name="host")),
        ('json:{"driver":"file","filename":"b.img"}', FileSource(file="/images/b.img")),
        ('json:{"driver":"raw","file":{"driver":"host_device","filename":"/dev/sdx"}}', BlockSource(dev="/dev/sdx")),
        ('json:{"file.driver":"file","file.filename":"/c"}', FileSource(file="/c")),
        (
            'json:{"driver":"qcow2","file":{"driver":"nbd","server":{"type":"inet","host":"h","port":"9"}}}',
            network("nbd", None, name="h", port=9),
        ),
        (
            'json:{"driver":"nbd","export":"e","server":{"type":"unix","path":"/s"}}',
            network("nbd", "e", transport="unix", socket="/s"),
        ),
        ('json:{"driver":"https","url":"https://h/x"}', network("https", "/x", name="h")),
        ('json:{"driver":"ssh","path":"/x","server.host":"h"}', network("ssh", "/x", name="h")),
    ],
)  # fmt: skip
def test_names(name: str, source: AnyDiskSource) -> None:
    assert source_of(name, "/images") == source


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("fat:rw:/tmp", "unsupported protocol 'fat'"),
        ("nbd:host:port", "malformed nbd"),
        ("http://host:99999999/x", "malformed URL"),
        ("json:{", "malformed json"),
        ("json:[]", "malformed json"),
        ('json:{"driver":"file"}', "missing 'filename'"),
        ('json:{"driver":"null-co"}', "unsupported driver 'null-co'"),
        ('json:{"driver":"nbd"}', "missing server"),
    ],
)
def test_names_that_lead_nowhere(name: str, text: str) -> None:
    with pytest.raises(BadName, match=text):
        source_of(name, "/images")


@given(st.text(max_size=60), st.sampled_from(["", "json:", "nbd:", "nbd://", "http://", "file://"]))
def test_any_text_is_a_source_or_a_bad_name(text: str, start: str) -> None:
    found: object = None
    with contextlib.suppress(BadName):
        found = source_of(start + text, "/images")
    assert isinstance(found, FileSource | BlockSource | NetworkSource | None)
