"""Tests of the front desk run on both event loops."""

from __future__ import annotations

import asyncio
import signal

import pytest

from support.desk import LOOPS


@pytest.fixture(params=sorted(LOOPS))
def loop(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session", autouse=True)
def libuv_is_ready() -> None:
    """libuv opens a pipe for signals with the first loop and keeps it: that is no leak of a test."""

    async def use_signals() -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR2, lambda: None)
        loop.remove_signal_handler(signal.SIGUSR2)

    with asyncio.Runner(loop_factory=LOOPS["uvloop"]) as runner:
        runner.run(use_signals())
