"""One change at a time, in order, with a way out for those who wait too long."""

from __future__ import annotations

import asyncio

import pytest

from roost.engine.jobs import Job
from roost.errors import OperationTimeout


def test_changes_take_turns_in_order_of_arrival() -> None:
    async def scenario() -> list[str]:
        job = Job()
        seen: list[str] = []

        async def change(name: str) -> None:
            async with job(name):
                seen.append(f"{name} begins")
                await asyncio.sleep(0)
                seen.append(f"{name} ends")

        await asyncio.gather(*(change(name) for name in "abc"))
        assert job.holder is None
        return seen

    assert asyncio.run(scenario()) == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")]


def test_a_failed_change_lets_the_next_one_in() -> None:
    async def scenario() -> None:
        job = Job()
        with pytest.raises(ZeroDivisionError):
            async with job("first"):
                raise ZeroDivisionError
        async with job("second"):
            assert job.holder == "second"

    asyncio.run(scenario())


def test_waiting_too_long_names_the_job_in_the_way() -> None:
    async def scenario() -> None:
        job = Job()
        async with job("migrate"):
            with pytest.raises(OperationTimeout, match=r"held by migrate.*'destroy' waited"):
                await job.acquire("destroy", 0.01)
        async with job("destroy"):
            assert job.holder == "destroy"

    asyncio.run(scenario())


def test_a_cancelled_waiter_passes_its_turn_on() -> None:
    async def scenario() -> list[str]:
        job = Job()
        seen: list[str] = []

        async def change(name: str) -> None:
            async with job(name):
                seen.append(name)

        async with job("first"):
            doomed = asyncio.create_task(change("doomed"))
            last = asyncio.create_task(change("last"))
            await asyncio.sleep(0)
        doomed.cancel()  # its turn has come, but it has not run yet
        await asyncio.wait([doomed, last])
        assert job.holder is None
        return seen

    assert asyncio.run(scenario()) == ["last"]


def test_no_newcomer_overtakes_a_waiter() -> None:
    async def scenario() -> list[str]:
        job = Job()
        seen: list[str] = []

        async def change(name: str) -> None:
            async with job(name):
                seen.append(name)

        await job.acquire("first", 1)
        waiter = asyncio.create_task(change("waiter"))
        await asyncio.sleep(0)
        job.release()
        await asyncio.gather(waiter, change("newcomer"))
        return seen

    assert asyncio.run(scenario()) == ["waiter", "newcomer"]
