"""The command line of `roostd`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from roost import __version__
from roost.errors import RoostError


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="roostd",
        description="Roost's daemon: manages guests for every libvirt client.",
        epilog="SIGTERM stops it and leaves guests running; SIGHUP reads the configuration again.",
    )
    add = parser.add_argument
    add("--root", type=Path, metavar="DIR", help="keep everything below DIR/{etc,lib,run,log,cache}")
    add("-d", "--daemon", action="store_true", help="run in the background; return when clients are answered")
    add("-f", "--config", type=Path, metavar="FILE", help="configuration file (default: roostd.conf in etc)")
    add("-l", "--listen", action="store_true", help="also listen on the network addresses of the configuration")
    add("-p", "--pid-file", type=Path, metavar="FILE", help="pid file (default: roostd.pid in run)")
    add("-t", "--timeout", type=_seconds, metavar="S", default=0, help="end after S seconds without client or guest")
    add("--libvirt-sockets", action="store_true", help="answer on libvirt's own socket paths too")
    add("-v", "--verbose", action="store_true", help="log debugging messages")
    add("--version", action="version", version=f"roostd {__version__}")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the daemon; the exit status."""
    options = parser().parse_args(arguments)
    if options.listen:
        print("roostd: error: --listen: this version listens on unix sockets only", file=sys.stderr)
        return 2

    from roost.daemon.run import run  # start-up: --help, --version and mistakes need none of it

    try:
        return run(options)
    except RoostError as error:
        print(f"roostd: error: {error}", file=sys.stderr)
        return 1


def _seconds(text: str) -> int:
    seconds = int(text)
    if seconds <= 0:
        raise argparse.ArgumentTypeError("must be greater than 0")
    return seconds
