"""The host, the hypervisor and the daemon."""

from __future__ import annotations

from roost.cli.failure import CommandFailed, failing
from roost.cli.table import NUMBER, TEXT, Command, Option, flag
from roost.constants import connect, node
from roost.errors import RoostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell

#: The libvirt API that this client was written against.
API_VERSION = 12_006_000

_CPU_FIELDS = (
    (node.CPU_STATS_USER, "user:"),
    (node.CPU_STATS_KERNEL, "system:"),
    (node.CPU_STATS_IDLE, "idle:"),
    (node.CPU_STATS_IOWAIT, "iowait:"),
    (node.CPU_STATS_INTR, "intr:"),
)


def _uri(shell: Shell, _arguments: Arguments) -> None:
    shell.write(shell.client.uri + "\n")


def _hostname(shell: Shell, _arguments: Arguments) -> None:
    with failing("failed to get hostname"):
        shell.write(shell.client.call("CONNECT_GET_HOSTNAME")[0] + "\n")


def _version_text(number: int) -> str:
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"


def _version(shell: Shell, arguments: Arguments) -> None:
    from roost import __version__

    client = shell.client
    with failing("failed to get hypervisor type"):
        kind = client.call("CONNECT_GET_TYPE")[0]
    api = _version_text(API_VERSION)
    shell.write(f"Compiled against library: libvirt {api}\n")
    shell.write(f"Using library: libvirt {api} (roost {__version__})\n")
    shell.write(f"Using API: {kind} {api}\n")
    with failing("failed to get the hypervisor version"):
        hypervisor = client.call("CONNECT_GET_VERSION")[0]
    if hypervisor == 0:
        shell.write(f"Cannot extract running {kind} hypervisor version\n")
    else:
        shell.write(f"Running hypervisor: {kind} {_version_text(hypervisor)}\n")
    if arguments.has("daemon"):
        try:
            shell.write(f"Running against daemon: {_version_text(client.call('CONNECT_GET_LIB_VERSION')[0])}\n")
        except RoostError:
            shell.error("failed to get the daemon version")


def _nodeinfo(shell: Shell, _arguments: Arguments) -> None:
    with failing("failed to get node information"):
        model, memory, cpus, mhz, cells, sockets, cores, threads = shell.client.call("NODE_GET_INFO")
    lines = [
        ("CPU model:", model.partition(b"\0")[0].decode("utf-8", "surrogateescape")),
        ("CPU(s):", cpus),
        ("CPU frequency:", f"{mhz} MHz"),
        ("CPU socket(s):", sockets),
        ("Core(s) per socket:", cores),
        ("Thread(s) per core:", threads),
        ("NUMA cell(s):", cells),
        ("Memory size:", f"{memory} KiB"),
    ]
    for label, value in lines:
        if label != "CPU frequency:" or mhz:
            shell.write(f"{label:<20} {value}\n")


def _nodecpumap(shell: Shell, arguments: Arguments) -> None:
    with failing("Unable to get cpu map"):
        data, online, present = shell.client.call("NODE_GET_CPU_MAP", 1, 1, 0)
    used = [bool(data[cpu // 8] >> cpu % 8 & 1) if cpu // 8 < len(data) else False for cpu in range(present)]
    if arguments.has("pretty"):
        shown = format_ranges([cpu for cpu in range(len(data) * 8) if data[cpu // 8] >> cpu % 8 & 1])
    else:
        shown = "".join("y" if flag else "-" for flag in used)
    shell.write(f"{'CPUs present:':<15} {present}\n{'CPUs online:':<15} {online}\n{'CPU map:':<15} {shown}\n")


def format_ranges(numbers: list[int]) -> str:
    """Ascending numbers as ranges: `0-3,8`."""
    parts: list[str] = []
    start = previous = None
    for number in [*numbers, None]:
        if previous is not None and start is not None and number != previous + 1:
            parts.append(f"{start}" if start == previous else f"{start}-{previous}")
            start = None
        if start is None:
            start = number
        previous = number
    return ",".join(parts)


def _nodecpustats(shell: Shell, arguments: Arguments) -> None:
    cpu = arguments.number("cpu")
    cpu = node.CPU_STATS_ALL_CPUS if cpu is None else cpu
    client = shell.client
    with failing("Unable to get number of cpu stats"):
        count = client.call("NODE_GET_CPU_STATS", cpu, 0, 0)[1]
    if count == 0:
        return

    def sample() -> dict[str, int]:
        with failing("Unable to get node cpu stats"):
            return dict(client.call("NODE_GET_CPU_STATS", cpu, count, 0)[0])

    first = sample()
    if not arguments.has("percent"):
        for field, label in _CPU_FIELDS:
            if field in first:
                shell.write(f"{label:<15} {first[field]:20d}\n")
        return
    if node.CPU_STATS_UTILIZATION in first:
        usage = first[node.CPU_STATS_UTILIZATION]
        shell.write(f"{'usage:':<15} {usage:5d}%\n{'idle:':<15} {100 - usage:5d}%\n")
        return
    from time import sleep

    # Shares are of a second: the counters say only how much there was since the host started.
    sleep(1)
    second = sample()
    spent = {field: second.get(field, 0) - first[field] for field, _ in _CPU_FIELDS if field in first}
    total = sum(spent.values()) or 1
    busy = spent.get(node.CPU_STATS_USER, 0) + spent.get(node.CPU_STATS_KERNEL, 0)
    shell.write(f"{'usage:':<15} {busy / total * 100:5.1f}%\n")
    for field, label in _CPU_FIELDS:
        if field in spent:
            shell.write(f"{label:<15} {spent[field] / total * 100:5.1f}%\n")


def _nodememstats(shell: Shell, arguments: Arguments) -> None:
    cell = arguments.number("cell")
    cell = node.MEMORY_STATS_ALL_CELLS if cell is None else cell
    with failing("Unable to get number of memory stats"):
        count = shell.client.call("NODE_GET_MEMORY_STATS", 0, cell, 0)[1]
    if count == 0:
        return
    with failing("Unable to get memory stats"):
        values = shell.client.call("NODE_GET_MEMORY_STATS", count, cell, 0)[0]
    for field, value in values:
        shell.write(f"{field:<7}: {value:20d} KiB\n")


def _freecell(shell: Shell, arguments: Arguments) -> None:
    arguments.exclude(("all", "cellno"))
    client = shell.client
    number = arguments.number("cellno")
    if number is not None:
        free = _free_of_cell(shell, number)
        shell.write(f"{number}: {free // 1024} KiB\n")
    elif not arguments.has("all"):
        shell.write(f"Total: {client.call('NODE_GET_FREE_MEMORY')[0] // 1024} KiB\n")
    else:
        from roost.cli.xmltree import parse

        with failing("unable to get node capabilities"):
            document = parse(client.call("CONNECT_GET_CAPABILITIES")[0])
        total = 0
        for cell in document.all("host/topology/cells/cell"):
            name = int(cell.attributes.get("id", "0"))
            with failing(f"failed to get free memory for NUMA node number: {name}"):
                free = _free_of_cell(shell, name)
            shell.write(f"{name:5d}: {free // 1024:10d} KiB\n")
            total += free
        shell.extra(f"--------------------\n{'Total':>5}: {total // 1024:10d} KiB\n")


def _free_of_cell(shell: Shell, cell: int) -> int:
    cells = shell.client.call("NODE_GET_CELLS_FREE_MEMORY", cell, 1)[0]
    if not cells:
        raise CommandFailed
    return int(cells[0])


def _capabilities(shell: Shell, _arguments: Arguments) -> None:
    with failing("failed to get capabilities"):
        shell.write(shell.client.call("CONNECT_GET_CAPABILITIES")[0] + "\n")


def _domcapabilities(shell: Shell, arguments: Arguments) -> None:
    virttype, emulator, arch, machine = (
        arguments.text(name) for name in ("virttype", "emulatorbin", "arch", "machine")
    )
    flags = connect.GET_DOMAIN_CAPABILITIES_DISABLE_DEPRECATED_FEATURES * arguments.has(
        "disable-deprecated-features"
    ) | connect.GET_DOMAIN_CAPABILITIES_EXPAND_CPU_FEATURES * arguments.has("expand-cpu-features")
    with failing("failed to get emulator capabilities"):
        result = shell.client.call("CONNECT_GET_DOMAIN_CAPABILITIES", emulator, arch, machine, virttype, flags)
    shell.write(result[0] + "\n")


def _maxvcpus(shell: Shell, arguments: Arguments) -> None:
    from roost.cli.xmltree import parse

    kind = arguments.text("type")
    client = shell.client
    try:
        document = parse(client.call("CONNECT_GET_DOMAIN_CAPABILITIES", None, None, None, kind, 0)[0])
        count = int(document.attribute("vcpu", "max") or "")
    except (RoostError, CommandFailed, ValueError):
        count = client.call("CONNECT_GET_MAX_VCPUS", kind)[0]
    shell.write(f"{count}\n")


def _sysinfo(shell: Shell, _arguments: Arguments) -> None:
    with failing("failed to get sysinfo"):
        shell.write(shell.client.call("CONNECT_GET_SYSINFO", 0)[0])


COMMANDS = (
    Command("capabilities", _capabilities, "what the host and the hypervisor can do", "As XML."),
    Command(
        "domcapabilities",
        _domcapabilities,
        "what an emulator can do for a domain",
        "As XML. What is not given is chosen by the daemon.",
        Option("virttype", TEXT, "kvm or qemu", completes="virtualization_types"),
        Option("emulatorbin", TEXT, "path of the emulator"),
        Option("arch", TEXT, "the architecture", completes="architectures"),
        Option("machine", TEXT, "the machine type"),
        flag("disable-deprecated-features", "host-model without features that go away"),
        flag("expand-cpu-features", "host-model with every feature written out"),
    ),
    Command(
        "freecell",
        _freecell,
        "free memory of the host or of its NUMA cells",
        "",
        Option("cellno", NUMBER, "the number of a cell"),
        flag("all", "every cell, and the sum"),
    ),
    Command("hostname", _hostname, "the name of the host", ""),
    Command(
        "maxvcpus",
        _maxvcpus,
        "how many virtual processors a domain can have",
        "",
        Option("type", TEXT, "the kind of domain, such as kvm", completes="virtualization_types"),
    ),
    Command(
        "nodecpumap",
        _nodecpumap,
        "which processors the host has and uses",
        "",
        flag("pretty", "as ranges of numbers"),
    ),
    Command(
        "nodecpustats",
        _nodecpustats,
        "how the processors of the host spend their time",
        "In nanoseconds since the host started.",
        Option("cpu", NUMBER, "only this processor"),
        flag("percent", "as shares of one second"),
    ),
    Command("nodeinfo", _nodeinfo, "processors and memory of the host", ""),
    Command(
        "nodememstats",
        _nodememstats,
        "how the memory of the host is used",
        "",
        Option("cell", NUMBER, "only this NUMA cell"),
    ),
    Command("sysinfo", _sysinfo, "what the host's firmware says about itself", "As XML."),
    Command("uri", _uri, "the URI that is open", ""),
    Command("version", _version, "versions of client and hypervisor", "", flag("daemon", "the daemon's version too")),
)
