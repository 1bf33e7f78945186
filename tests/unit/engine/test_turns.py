"""Long work in pieces."""

from __future__ import annotations

import asyncio
import contextlib

from roost.engine.turns import Turns


async def _work(turns: Turns, name: str, pieces: int, done: list[str]) -> None:
    for _ in range(pieces):
        await turns.next()
        done.append(name)


async def _look(done: list[str]) -> None:
    """What the loop does between rounds."""
    while True:
        done.append("|")
        await asyncio.sleep(0)


async def _seen(*work: asyncio.Task[None], done: list[str]) -> str:
    looking = asyncio.create_task(_look(done))
    await asyncio.wait(work)
    looking.cancel()
    return "".join(done)


def test_one_goes_on_in_a_round_and_they_take_turns() -> None:
    async def main() -> str:
        turns, done = Turns(), list[str]()
        work = [asyncio.create_task(_work(turns, name, 2, done)) for name in "abc"]
        return await _seen(*work, done=done)

    seen = asyncio.run(main())
    assert seen.replace("|", "") == "abcabc"
    assert all(len(round) <= 1 for round in seen.split("|")), seen


def test_who_gave_up_takes_nobodys_turn() -> None:
    async def main() -> str:
        turns, done = Turns(), list[str]()
        work = [asyncio.create_task(_work(turns, name, 1, done)) for name in "abc"]
        await asyncio.sleep(0)
        work[0].cancel()
        work[2].cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*work)
        await work[1]
        later = asyncio.create_task(_work(turns, "d", 1, done))
        return await _seen(later, done=done)

    assert asyncio.run(main()).replace("|", "") == "bd"
