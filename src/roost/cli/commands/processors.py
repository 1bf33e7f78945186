"""Processors: what they are called, and how they compare."""

from __future__ import annotations

from roost.cli.failure import CommandFailed, failing
from roost.cli.shell import read_document
from roost.cli.table import DATA, TEXT, Command, Option, flag
from roost.constants import connect, cpu

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell

#: What is compared, in the words for each result.
_HOST_RESULTS = {
    cpu.COMPARE_INCOMPATIBLE: "CPU described in %s is incompatible with host CPU",
    cpu.COMPARE_IDENTICAL: "CPU described in %s is identical to host CPU",
    cpu.COMPARE_SUPERSET: "Host CPU is a superset of CPU described in %s",
}
_HYPERVISOR_RESULTS = {
    cpu.COMPARE_INCOMPATIBLE: "CPU described in %s is incompatible with the CPU provided by hypervisor on the host",
    cpu.COMPARE_IDENTICAL: "CPU described in %s is identical to the CPU provided by hypervisor on the host",
    cpu.COMPARE_SUPERSET: "The CPU provided by hypervisor on the host is a superset of CPU described in %s",
}
_EMULATOR = ("emulator", "arch", "machine", "virttype")


def _cpu_models(shell: Shell, arguments: Arguments) -> None:
    arch = arguments.required("arch")
    with failing("failed to get CPU model names"):
        models, count = shell.client.call("CONNECT_GET_CPU_MODEL_NAMES", arch, 1, 0)
    if count == 0:
        shell.extra("all CPU models are accepted\n")
    for model in models:
        shell.write(model + "\n")


def _processors(path: str) -> list[str]:
    """The <cpu> documents in a file."""
    from roost.cli.cpuxml import processors

    return processors(read_document(path), path)


def _compare(shell: Shell, arguments: Arguments) -> None:
    path = arguments.required("file")
    flags = _compare_flags(arguments)
    documents = _processors(path)
    with failing(f"Failed to compare host CPU with {path}"):
        result = shell.client.call("CONNECT_COMPARE_CPU", documents[0], flags)[0]
    _tell(shell, _HOST_RESULTS, result, path)


def _compare_hypervisor(shell: Shell, arguments: Arguments) -> None:
    path = arguments.required("file")
    flags = _compare_flags(arguments)
    emulator = [arguments.text(name) for name in _EMULATOR]
    documents = _processors(path)
    with failing(f"Failed to compare hypervisor CPU with {path}"):
        result = shell.client.call("CONNECT_COMPARE_HYPERVISOR_CPU", *emulator, documents[0], flags)[0]
    _tell(shell, _HYPERVISOR_RESULTS, result, path)


def _compare_flags(arguments: Arguments) -> int:
    return connect.COMPARE_CPU_FAIL_INCOMPATIBLE * arguments.has(
        "error"
    ) | connect.COMPARE_CPU_VALIDATE_XML * arguments.has("validate")


def _tell(shell: Shell, words: dict[int, str], result: int, path: str) -> None:
    shell.write(words[result].replace("%s", path) + "\n")
    if result == cpu.COMPARE_INCOMPATIBLE:
        raise CommandFailed


def _baseline(shell: Shell, arguments: Arguments) -> None:
    documents = _processors(arguments.required("file"))
    shell.write(shell.client.call("CONNECT_BASELINE_CPU", documents, _baseline_flags(arguments))[0])


def _baseline_hypervisor(shell: Shell, arguments: Arguments) -> None:
    arguments.exclude(("file", "model"))
    path, model = arguments.text("file"), arguments.text("model")
    flags = _baseline_flags(arguments) | connect.BASELINE_CPU_IGNORE_HOST * arguments.has("ignore-host")
    emulator = [arguments.text(name) for name in _EMULATOR]
    if path is None and model is None:
        raise CommandFailed("Either --file or --model must be provided")
    documents = _processors(path) if path is not None else [f"<cpu><model>{model}</model></cpu>"]
    shell.write(shell.client.call("CONNECT_BASELINE_HYPERVISOR_CPU", *emulator, documents, flags)[0])


def _baseline_flags(arguments: Arguments) -> int:
    return connect.BASELINE_CPU_EXPAND_FEATURES * arguments.has(
        "features"
    ) | connect.BASELINE_CPU_MIGRATABLE * arguments.has("migratable")


_CHOICE = (
    Option("virttype", TEXT, "kvm or qemu", completes="virtualization_types"),
    Option("emulator", TEXT, "path of the emulator"),
    Option("arch", TEXT, "the architecture", completes="architectures"),
    Option("machine", TEXT, "the machine type"),
)
_COMPARE = (
    flag("error", "fail when the host cannot run it, and say why"),
    flag("validate", "refuse what is not declared"),
)
_BASELINE = (
    flag("features", "write every feature out"),
    flag("migratable", "without what keeps guests from migrating"),
)
_SOURCES = "A file with <cpu> elements, domains, or capabilities of hosts or emulators."

COMMANDS = (
    Command(
        "cpu-models",
        _cpu_models,
        "the processor models of an architecture",
        "",
        Option("arch", DATA, "the architecture, such as x86_64", required=True, completes="architectures"),
    ),
    Command(
        "cpu-compare",
        _compare,
        "whether the host has what a processor needs",
        _SOURCES,
        Option("file", DATA, "file with the processor", required=True),
        *_COMPARE,
    ),
    Command(
        "cpu-baseline",
        _baseline,
        "the processor that runs on several hosts",
        _SOURCES,
        Option("file", DATA, "file with their processors", required=True),
        *_BASELINE,
    ),
    Command(
        "hypervisor-cpu-compare",
        _compare_hypervisor,
        "whether an emulator on the host gives what a processor needs",
        _SOURCES,
        Option("file", DATA, "file with the processor", required=True),
        *_CHOICE,
        *_COMPARE,
    ),
    Command(
        "hypervisor-cpu-baseline",
        _baseline_hypervisor,
        "the processor that runs on several hosts under an emulator",
        _SOURCES,
        Option("file", TEXT, "file with their processors"),
        *_CHOICE,
        *_BASELINE,
        Option("model", TEXT, "a model by name, instead of a file"),
        flag("ignore-host", "whatever this host has"),
    ),
)
