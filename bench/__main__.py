"""`./dev bench`: the same work through the same C client against libvirtd and roostd, side by side."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

from bench import report
from bench.measures import MEASURES, QUICK, THOROUGH, Bench
from bench.sides import both, interpreter

from support.peer import BINDING_PYTHON, has_binding

CLIENT_VERSION = (
    "import libvirt, sys; v = libvirt.getVersion(); print('libvirt', v // 1000000, v // 1000 % 1000, v % 1000, "
    "'in C, under', sys.executable, sys.version.split()[0])"
)


def parse() -> argparse.Namespace:
    """The command line."""
    names = [measure.name for measure in MEASURES]
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__, epilog=f"names: {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument(
        "--only", metavar="NAME", action="append", choices=names, help="just this row; may be given again"
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="write every figure, in seconds and bytes")
    return parser.parse_args()


def first_line(*command: str) -> str:
    """What a program says of itself."""
    try:
        output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return "not installed"
    return output.strip().splitlines()[0] if output.strip() else "unknown"


def surroundings() -> dict[str, str]:
    """What the figures depend on."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    models = [line.split(":", 1)[1].strip() for line in cpuinfo.splitlines() if "model name" in line]
    return {
        "when": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "revision": first_line("git", "describe", "--always", "--dirty"),
        "machine": f"{os.cpu_count()} x {models[0] if models else 'unknown CPU'}, Linux {platform.release()}",
        "libvirtd": first_line("/usr/sbin/libvirtd", "--version"),
        "roostd": interpreter(),
        "client": first_line(BINDING_PYTHON, "-c", CLIENT_VERSION),
        "qemu": first_line("qemu-system-x86_64", "--version"),
    }


def show(step: str) -> None:
    """Progress: one line that is overwritten on a terminal, lines elsewhere."""
    begin, end = ("\r\033[K", "") if sys.stderr.isatty() else ("", "\n")
    print(begin + step, end=end, file=sys.stderr, flush=True)


def main() -> int:
    """Measure, print the table; 1 when a promise is not kept."""
    options = parse()
    os.environ.pop("PYTHONPATH", None)  # it led here, and is not for the daemons
    if os.geteuid() != 0:
        sys.exit("bench: needs root, to start a libvirtd apart from the machine's")
    if not has_binding():
        sys.exit("bench: python3-libvirt is not installed")
    wanted = frozenset(options.only or [measure.name for measure in MEASURES])
    sides = both()
    bench = Bench(sides, QUICK if options.quick else THOROUGH, wanted)
    try:
        for step in bench.run():
            show(step)
    finally:
        show("")
        for side in sides:
            side.close()
    around = surroundings()
    rows = report.rows(bench.samples, wanted)
    print(report.table(around, rows))
    if options.json:
        text = json.dumps({"surroundings": around, "samples": bench.samples.all()}, indent=1, ensure_ascii=False)
        options.json.write_text(text + "\n")
    return int(any(row.verdict == report.MISS for row in rows))


if __name__ == "__main__":
    sys.exit(main())
