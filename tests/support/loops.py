"""Loop devices: block devices of this host with a file behind them."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest


def loop_device(stack: ExitStack, path: Path, mebibytes: int = 16) -> Path:
    """A device on a new file, gone when `stack` unwinds; skips where there are none."""
    with path.open("wb") as file:
        file.truncate(mebibytes << 20)
    try:
        made = subprocess.run(["losetup", "-f", "--show", str(path)], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("losetup is not installed")
    if made.returncode:
        pytest.skip(f"no loop devices: {made.stderr.strip()}")
    device = Path(made.stdout.strip())
    stack.callback(subprocess.run, ["losetup", "-d", str(device)], check=True)
    return device
