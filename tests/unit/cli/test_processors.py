"""Commands about processors: what is sent, and what a file may hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from roost.cli.cpuxml import processors
from roost.cli.failure import CommandFailed
from support.answers import Answers
from unit.cli.conftest import Roost

CPU = "<cpu mode='custom'>\n  <model>Penryn</model>\n</cpu>"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CPU, [CPU]),
        ("<?xml version='1.0'?>" + CPU, [CPU]),
        (CPU + "<!-- two --><cpu/>", [CPU, "<cpu/>"]),
        (f"<domain><name>é</name>{CPU}<devices><cpu/></devices></domain>", [CPU]),
        (f"<capabilities><host>{CPU}</host></capabilities>", [CPU]),
        (
            "<domainCapabilities><cpu><mode name='custom' supported='yes'/>"
            "<mode name='host-model' supported='yes'><model>A</model></mode></cpu></domainCapabilities>",
            ["<cpu><model>A</model></cpu>"],
        ),
        (
            "<domainCapabilities><cpu><mode name='host-model' supported='yes'/></cpu></domainCapabilities>",
            ["<cpu></cpu>"],
        ),
    ],
)
def test_processors_in_a_file(text: str, expected: list[str]) -> None:
    assert processors(text, "file") == expected


@pytest.mark.parametrize("text", ["<domain/>", "", "<cpus><cpu/></cpus>"])
def test_files_without_any(text: str) -> None:
    with pytest.raises(CommandFailed, match="does not contain any <cpu> element"):
        processors(text, "file")


def test_files_that_are_no_xml() -> None:
    with pytest.raises(CommandFailed, match="file: mismatched tag"):
        processors("<cpu><model></cpu>", "file")


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "cpu.xml"
    path.write_text(CPU)
    return str(path)


def test_flags_of_comparing(roost: Roost, daemon: Answers, file: str) -> None:
    asked: list[Any] = []

    def compare(*arguments: Any) -> tuple[int]:
        asked.append(arguments)
        return (len(asked) % 3,)

    daemon.answers |= {"CONNECT_COMPARE_CPU": compare, "CONNECT_COMPARE_HYPERVISOR_CPU": compare}
    assert (
        roost("cpu-compare", file, "--error", "--validate").out
        == f"CPU described in {file} is identical to host CPU\n\n"
    )
    assert roost("cpu-compare", file).out == f"Host CPU is a superset of CPU described in {file}\n\n"
    refused = roost("hypervisor-cpu-compare", file, "--emulator", "/q", "--machine", "pc", "--error")
    assert refused.code == 1
    assert "is incompatible with the CPU provided by hypervisor on the host" in refused.out
    assert asked == [(CPU, 3), (CPU, 0), ("/q", None, "pc", None, CPU, 1)]


def test_flags_of_joining(roost: Roost, daemon: Answers, file: str) -> None:
    asked: list[Any] = []

    def baseline(*arguments: Any) -> tuple[str]:
        asked.append(arguments)
        return ("<cpu/>\n",)

    daemon.answers |= {"CONNECT_BASELINE_CPU": baseline, "CONNECT_BASELINE_HYPERVISOR_CPU": baseline}
    assert roost("cpu-baseline", file, "--features", "--migratable").out == "<cpu/>\n\n"
    roost("hypervisor-cpu-baseline", "--model", "Penryn", "--ignore-host", "--arch", "x86_64")
    assert asked == [([CPU], 3), (None, "x86_64", None, None, ["<cpu><model>Penryn</model></cpu>"], 4)]
    assert roost("hypervisor-cpu-baseline").err == "error: Either --file or --model must be provided\n"


def test_flags_of_capabilities(roost: Roost, daemon: Answers) -> None:
    daemon.answers["CONNECT_GET_DOMAIN_CAPABILITIES"] = lambda *arguments: (str(arguments[-1]),)
    assert roost("domcapabilities", "--expand-cpu-features", "--disable-deprecated-features").out == "3\n\n"
