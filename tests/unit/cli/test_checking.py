"""Documents without a daemon: `validate`, `schema`, and JSON in place of XML."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.answers import Answers

Roost = Callable[..., Any]

GOOD = "<domain type='qemu'><name>a</name><memory>1024</memory><os><type>hvm</type></os></domain>"
BAD = """<domain type='qemu'>
  <name>a</name><memry>1</memry>
  <os><type>hvm</type></os>
  <devices>
    <disk type='file' devise='disk'><target dev='vda' bus='virtoi'/></disk>
    <disk type='foo'><target dev='vdb'/></disk>
  </devices>
</domain>
"""


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_what_is_wrong_twice_is_named_once(roost: Roost, tmp_path: Path) -> None:
    bad = write(tmp_path / "bad.xml", GOOD.replace("</memory>", "</memory>\n  <features><akpi/></features>", 1))
    lines = roost("validate", bad).out.splitlines()
    assert [line.split(": ")[:2] for line in lines if line] == [[f"{bad}:2", "/domain/features/akpi"]]


def test_every_problem_is_named_with_place_and_cure(roost: Roost, tmp_path: Path) -> None:
    good, bad = write(tmp_path / "good.xml", GOOD), write(tmp_path / "bad.xml", BAD)
    outcome = roost("validate", good, bad)
    assert outcome.code == 1
    lines = outcome.out.splitlines()
    assert lines[0] == f"{good} validates"
    places = [line.split(": ")[:2] for line in lines[1:5]]
    assert places == [
        [f"{bad}:2", "/domain/memry"],
        [f"{bad}:5", "/domain/devices/disk[1]/@devise"],
        [f"{bad}:5", "/domain/devices/disk[1]/target/@bus"],
        [f"{bad}:6", "/domain/devices/disk[2]/@type"],
    ]
    assert "; would be right: " in lines[1]
    assert lines[1].endswith("the nearest is 'memory'")
    assert lines[3].endswith("the nearest is 'virtio'")
    assert outcome.err == "error: 1 of 2 documents not valid\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<secret ephemeral='no'/>", ""),
        ("<networc/>", "no type of document is called 'networc'; the nearest is 'network'"),
        ("<a>\n", ":2: Premature end of data in tag a line 1"),
        ("<secret ephemeral='maybe'/>", ":1: /secret/@ephemeral: "),
    ],
)
def test_the_root_element_tells_the_type(roost: Roost, tmp_path: Path, text: str, words: str) -> None:
    path = write(tmp_path / "document.xml", text)
    outcome = roost("validate", path)
    assert outcome.code == bool(words)
    assert words in outcome.out
    assert path in outcome.out


def test_files_that_cannot_be_read_count_as_wrong(roost: Roost, tmp_path: Path) -> None:
    good = write(tmp_path / "good.xml", GOOD)
    outcome = roost("validate", str(tmp_path / "none.xml"), good)
    assert outcome.code == 1
    assert "No such file or directory" in outcome.out
    assert f"{good} validates" in outcome.out
    assert roost("validate").code == 1


def test_json_needs_its_type(roost: Roost, tmp_path: Path) -> None:
    right = write(tmp_path / "right.json", '{"name":"a","type":"qemu","os":{"type":"hvm"}}')
    wrong = write(tmp_path / "wrong.json", '{"name":"a","type":"qemu","os":{"typ":"hvm"}}')
    assert roost("validate", right).code == 1
    assert roost("validate", "--type", "domain", right).code == 0
    outcome = roost("validate", "--type", "domain", wrong)
    assert outcome.code == 1
    assert "unknown field `typ` - at `$.os`; would be right: the nearest name is 'type'" in outcome.out


def test_schemas(roost: Roost) -> None:
    assert "storagepool          <pool>\n" in roost("schema").out
    schema = json.loads(roost("schema", "secret").out)
    assert schema["$defs"]["Secret"]["additionalProperties"] is False
    assert "the nearest is 'domain'" in roost("schema", "domian").err


def test_a_domain_goes_out_and_in_as_json(roost: Roost, daemon: Answers, tmp_path: Path) -> None:
    domain = ("a", b"\1" * 16, -1)
    daemon.answers |= {
        "DOMAIN_LOOKUP_BY_NAME": lambda name: (domain,),
        "DOMAIN_GET_XML_DESC": lambda domain, flags: (GOOD,),
        "DOMAIN_DEFINE_XML": lambda text: (domain,),
    }
    out = roost("dumpxml", "a", "--json").out
    assert json.loads(out) == {"name": "a", "type": "qemu", "memory": 1024, "os": {"type": "hvm"}}
    path = write(tmp_path / "a.json", out)
    assert roost("define", path).code == 0
    ((sent,),) = [arguments for name, arguments in daemon.calls if name == "DOMAIN_DEFINE_XML"]
    assert "<memory unit='KiB'>1024</memory>" in sent
    assert roost("define", write(tmp_path / "b.json", '{"name":1}')).code == 1
    assert roost("dumpxml", "a", "--json", "--xpath", "/x").code == 1
