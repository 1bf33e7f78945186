"""test:///default: numbers that stand still, threads that poll, keys that nobody hears, a picture."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from roost.constants import domain as D
from roost.constants import statistics as T
from roost.contract.blocks import Blocks
from roost.contract.domains import Lifecycle
from roost.contract.input import Input
from roost.contract.interface import Backend
from roost.contract.node import Node, Processors
from roost.contract.references import DomainRef
from roost.contract.security import Security
from roost.contract.state import Memory
from roost.contract.statistics import Statistics
from roost.contract.tuning import DeviceLimits, Pinning, ResourceLimits
from roost.contract.typed_params import boolean, uint, ullong
from roost.contract.vcpus import Vcpus
from roost.drivers.test.driver import make_backend
from roost.drivers.test.world import World
from roost.errors import InternalError, InvalidArg, OperationInvalid, RoostError

Scenario = Callable[[Backend, DomainRef], Coroutine[Any, Any, None]]
LIVE, CONFIG = D.AFFECT_LIVE, D.AFFECT_CONFIG


def play(scenario: Scenario) -> None:
    world = World()
    asyncio.run(scenario(make_backend(world), world.table.by_name("test").ref))


def test_places_of_running_processors() -> None:
    async def scenario(backend: Backend, ref: DomainRef) -> None:
        pinning = backend.get(Pinning)
        await pinning.pin_vcpu(ref, 0, frozenset((1, 3)), LIVE)
        first, second = pinning.vcpu_places(ref)
        assert (first.cpu, first.affinity) == (3, frozenset((1, 3)))
        assert (second.cpu, len(second.affinity)) == (15, 16)
        assert first.cpu_time > 0
        await backend.get(Vcpus).set_count(ref, 1, LIVE)
        assert len(pinning.vcpu_places(ref)) == 1
        assert len(pinning.vcpu_pins(ref, LIVE)) == 2
        with pytest.raises(InvalidArg, match="requested vcpu '1' is not present in the domain"):
            await pinning.pin_vcpu(ref, 1, frozenset((1,)), LIVE)
        await backend.get(Lifecycle).destroy(ref, 0)
        with pytest.raises(OperationInvalid, match="cannot list vcpus for an inactive domain"):
            pinning.vcpu_places(ref)

    play(scenario)


def test_what_stands_still() -> None:
    async def scenario(backend: Backend, ref: DomainRef) -> None:
        limits = backend.get(ResourceLimits)
        assert limits.scheduler_type(ref) == ("fair", 1)
        await limits.set_scheduler_parameters(ref, [uint("weight", 7)], 0)
        assert limits.scheduler_parameters(ref, 0) == [uint("weight", 50)]
        assert limits.cpu_stats(ref, 0)[0] == ullong("cpu_time", 48772617035)
        first, second = limits.each_cpu_stats(ref, 0)
        assert second[0].value[1] == int(first[0].value[1]) + 1
        assert await backend.get(Blocks).info(ref, "vda", 0) == (1099511627776, 1099506450432, 1099511627776)
        assert await backend.get(Blocks).disk_errors(ref, 5, 0) == ([("vda", D.DISK_ERROR_UNSPEC)], 1)
        assert await backend.get(Security).launch_info(ref, 0) == ()
        assert "<entry name='release'>2.61</entry>" in await backend.get(Node).sysinfo(0)
        assert "Penryn" in backend.get(Processors).model_names("x86_64", 0)

    play(scenario)


def test_threads_that_poll() -> None:
    async def scenario(backend: Backend, ref: DomainRef) -> None:
        vcpus, statistics = backend.get(Vcpus), backend.get(Statistics)

        async def shown() -> dict[str, Any]:
            [(_, params)] = await statistics.all_stats([ref], T.IOTHREAD, 0)
            return {param.field: param.value[1] for param in params}

        assert await shown() == {}
        await vcpus.add_iothread(ref, 3, LIVE)
        await vcpus.add_iothread(ref, 4, CONFIG)
        assert await shown() == {
            "iothread.count": 1, "iothread.3.poll-max-ns": 32768,
            "iothread.3.poll-grow": 0, "iothread.3.poll-shrink": 0,
        }  # fmt: skip
        await vcpus.set_iothread(ref, 3, [ullong("poll_max_ns", 7)], LIVE)
        assert (await shown())["iothread.3.poll-max-ns"] == 7
        await vcpus.delete_iothread(ref, 3, LIVE)
        await vcpus.add_iothread(ref, 3, LIVE)
        assert (await shown())["iothread.3.poll-max-ns"] == 32768
        with pytest.raises(InvalidArg, match="cannot find IOThread '9' in iothreadids"):
            await vcpus.set_iothread(ref, 9, [], LIVE)

    play(scenario)


def test_throttles_need_bursts_above_them() -> None:
    async def scenario(backend: Backend, ref: DomainRef) -> None:
        limits = backend.get(DeviceLimits)
        with pytest.raises(InvalidArg, match="total_bytes_sec cannot be set higher than total_bytes_sec_max"):
            await limits.set_block_io_tune(ref, "vda", [ullong("total_bytes_sec", 5)], LIVE)
        await limits.set_block_io_tune(ref, "vda", [ullong("total_bytes_sec_max", 9)], LIVE)
        await limits.set_block_io_tune(ref, "vda", [ullong("total_bytes_sec", 5)], LIVE)
        assert [each.value[1] for each in (await limits.block_io_tune(ref, "vda", LIVE))[::6]][:2] == [5, 9]

    play(scenario)


def test_perf_of_one_of_two_documents() -> None:
    async def scenario(backend: Backend, ref: DomainRef) -> None:
        limits = backend.get(DeviceLimits)
        await limits.set_perf_events(ref, [boolean("cmt", True)], LIVE)
        assert boolean("cmt", True) in limits.perf_events(ref, LIVE)
        assert boolean("cmt", True) not in limits.perf_events(ref, CONFIG)
        await limits.set_memory_stats_period(ref, 5, CONFIG)

    play(scenario)


def test_keys_and_signals() -> None:
    async def scenario(backend: Backend, ref: DomainRef) -> None:
        heard = backend.get(Input)
        await heard.send_key(ref, 0, 0, [30, 1], 0)
        await heard.inject_nmi(ref, 0)
        await heard.send_process_signal(ref, 1, 15, 0)
        refused: list[tuple[Callable[[], Coroutine[Any, Any, None]], type[RoostError], str]] = [
            (lambda: heard.send_key(ref, 0, 0, [60000], 0), InternalError, "invalid keycode 60000 of linux codeset"),
            (lambda: heard.send_key(ref, 99, 0, [1], 0), InvalidArg, "Unsupported codeset '99'"),
            (lambda: heard.send_process_signal(ref, 2, 15, 0), InvalidArg, "only sending a signal to pid 1"),
            (lambda: heard.send_process_signal(ref, 1, 99, 0), InvalidArg, "signum value 99 is out of range"),
        ]
        for call, error, words in refused:
            with pytest.raises(error, match=words):
                await call()

    play(scenario)


def test_the_picture_is_one() -> None:
    async def scenario(backend: Backend, ref: DomainRef) -> None:
        picture = await backend.get(Memory).screenshot(ref, 0, 0)
        data = b""
        while chunk := await picture.read(1000):
            data += chunk
        assert picture.mime == "image/png"
        assert data.startswith(b"\x89PNG\r\n\x1a\n")
        start = data.index(b"IDAT") + 4
        size = int.from_bytes(data[start - 8 : start - 4], "big")
        assert len(zlib.decompress(data[start : start + size])) == 480 * 641
        with pytest.raises(OperationInvalid, match="only for reading"):
            await picture.write(b"x")

    play(scenario)
