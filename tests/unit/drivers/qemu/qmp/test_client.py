"""The QMP client against a server of the test's own, on both event loops."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
import uvloop

from roost.drivers.qemu.qmp import Event, QmpClient, QmpClosed, QmpCommandError
from roost.errors import OperationTimeout

Runner = Callable[[Coroutine[Any, Any, Any]], Any]
GREETING = {"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}, "package": ""}, "capabilities": []}}


@pytest.fixture(scope="module", autouse=True)
def first_uvloop() -> None:
    """libuv's signal pipe is made with the first loop and kept; it is no test's leak."""
    uvloop.run(asyncio.sleep(0))


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Runner:
    return asyncio.run if request.param == "asyncio" else uvloop.run


class FakeQemu:
    """The other end of a monitor."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._socket = end
        self._buffer = ""
        self.descriptors: list[int] = []

    async def say(self, *messages: Any) -> None:
        await self.say_bytes(b"".join(json.dumps(message).encode() + b"\r\n" for message in messages))

    async def say_bytes(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def hear(self) -> dict[str, Any]:
        """The next command; nothing stands between two."""
        loop = asyncio.get_running_loop()
        while True:
            with contextlib.suppress(json.JSONDecodeError):
                found, end = json.JSONDecoder().raw_decode(self._buffer)
                self._buffer = self._buffer[end:]
                return dict(found)
            ready = loop.create_future()
            loop.add_reader(self._socket, ready.set_result, None)
            await ready
            loop.remove_reader(self._socket)
            data, descriptors, _, _ = socket.recv_fds(self._socket, 65536, 4)
            assert data
            self._buffer += data.decode()
            self.descriptors += descriptors

    def hang_up(self) -> None:
        self._socket.close()


@contextlib.asynccontextmanager
async def conversation(**callbacks: Any) -> AsyncIterator[tuple[QmpClient, FakeQemu]]:
    ours, theirs = socket.socketpair()
    client, qemu = QmpClient(ours, **callbacks), FakeQemu(theirs)
    try:
        yield client, qemu
    finally:
        client.close()
        qemu.hang_up()
        for descriptor in qemu.descriptors:
            os.close(descriptor)


def test_negotiation_and_a_command(run: Runner) -> None:
    async def main() -> None:
        async with conversation() as (client, qemu):
            await qemu.say(GREETING)
            negotiation = asyncio.create_task(client.negotiate())
            heard = await qemu.hear()
            assert heard["execute"] == "qmp_capabilities"
            await qemu.say({"return": {}, "id": heard["id"]})
            assert (await negotiation).version.qemu.major == 7
            asked = asyncio.create_task(client.execute("query-x", {"a": 1}))
            heard = await qemu.hear()
            assert heard["arguments"] == {"a": 1}
            await qemu.say({"return": [1, 2]})
            assert await asked == [1, 2]

    run(main())


@pytest.mark.parametrize(("offered", "enabled"), [(["oob"], {"enable": ["oob"]}), (["later"], None)])
def test_qemu_reads_on_while_it_works_where_it_can(run: Runner, offered: list[str], enabled: Any) -> None:
    async def main() -> None:
        async with conversation() as (client, qemu):
            await qemu.say({"QMP": {**GREETING["QMP"], "capabilities": offered}})
            negotiation = asyncio.create_task(client.negotiate())
            heard = await qemu.hear()
            assert heard.get("arguments") == enabled
            await qemu.say({"return": {}, "id": heard["id"]})
            await negotiation

    run(main())


def test_answers_come_in_the_order_of_their_commands(run: Runner) -> None:
    async def main() -> None:
        async with conversation() as (client, qemu):
            asked = asyncio.create_task(client.batch([("one", None), ("two", None), ("three", None)]))
            heard = [await qemu.hear() for _ in range(3)]
            assert heard == [{"execute": "one"}, {"execute": "two"}, {"execute": "three"}]
            refusal = {"class": "GenericError", "desc": "no such thing"}
            await qemu.say({"return": 1}, {"error": refusal}, {"return": 3})
            one, two, three = await asked
            assert (one, three) == (1, 3)
            assert isinstance(two, QmpCommandError)
            assert str(two) == "internal error: unable to execute QEMU command 'two': no such thing"

    run(main())


def test_answers_to_an_earlier_connection_are_not_taken_for_ours(run: Runner) -> None:
    """A daemon was killed while QEMU was busy with what it had asked."""

    async def main() -> None:
        async with conversation() as (client, qemu):
            await qemu.say({"return": "hers"}, GREETING)
            negotiation = asyncio.create_task(client.negotiate())
            heard = await qemu.hear()
            asked = client.send("query-x")
            await qemu.say({"return": "hers"}, {"return": {}, "id": "roost-hers"}, {"return": {}, "id": heard["id"]})
            await negotiation
            await qemu.say({"return": "ours"})
            assert bytes(await asked) == b'"ours"'

    run(main())


def test_events_come_in_order_between_answers(run: Runner) -> None:
    async def main() -> None:
        seen: list[str] = []

        def on_event(event: Event) -> None:
            seen.append(event.name)
            if event.name == "BAD":
                raise ValueError("a handler's own failure")

        async with conversation(on_event=on_event) as (client, qemu):
            asked = asyncio.create_task(client.execute("cont"))
            await qemu.hear()
            stamp = {"seconds": 1, "microseconds": 2}
            await qemu.say(
                {"event": "BAD", "timestamp": stamp},
                {"event": "RESUME", "timestamp": stamp},
                {"return": {}},
            )
            await asked
            assert seen == ["BAD", "RESUME"]

    run(main())


def test_descriptors_wait_until_those_before_are_taken(run: Runner) -> None:
    """Of two commands with descriptors QEMU would give both the last ones, were they there at once."""

    async def main() -> None:
        reader, writer = os.pipe()
        async with conversation() as (client, qemu):
            first = asyncio.create_task(client.execute("getfd", {"fdname": "a"}, descriptors=[writer]))
            await asyncio.sleep(0)
            second = client.send("getfd", {"fdname": "b"}, descriptors=[reader])
            third = client.send("query-x")
            os.close(reader)
            os.close(writer)
            assert (await qemu.hear())["arguments"] == {"fdname": "a"}
            assert len(qemu.descriptors) == 1
            await qemu.say({"return": {}})
            await first
            assert (await qemu.hear())["arguments"] == {"fdname": "b"}
            assert (await qemu.hear()) == {"execute": "query-x"}
            assert len(qemu.descriptors) == 2
            os.write(qemu.descriptors[0], b"through")
            assert os.read(qemu.descriptors[1], 16) == b"through"
            await qemu.say({"return": 2}, {"return": 3})
            assert (bytes(await second), bytes(await third)) == (b"2", b"3")

    run(main())


def test_nothing_to_ask(run: Runner) -> None:
    async def main() -> None:
        async with conversation() as (client, _):
            assert await client.batch([]) == []

    run(main())


def test_descriptors_that_are_never_sent_are_closed(run: Runner) -> None:
    async def main() -> None:
        reader, writer = os.pipe()
        async with conversation() as (client, qemu):
            for descriptor in (writer, reader):
                client.send("getfd", descriptors=[descriptor])
                os.close(descriptor)
            await qemu.hear()

    run(main())


def test_a_command_out_of_band_waits_for_its_turn(run: Runner) -> None:
    async def main() -> None:
        async with conversation() as (client, qemu):
            asked = asyncio.create_task(client.execute_text('{"exec-oob": "migrate-pause", "id": 7}'))
            assert await qemu.hear() == {"execute": "migrate-pause"}
            await qemu.say({"return": {}})
            assert json.loads(await asked)["return"] == {}

    run(main())


def test_descriptors_arrive_with_their_command(run: Runner) -> None:
    async def main() -> None:
        async with conversation() as (client, qemu):
            reader, writer = os.pipe()
            asked = client.send("getfd", {"fdname": "x"}, descriptors=[writer])
            os.close(writer)
            heard = await qemu.hear()
            assert heard["execute"] == "getfd"
            os.write(qemu.descriptors[0], b"through")
            assert os.read(reader, 100) == b"through"
            os.close(reader)
            await qemu.say({"return": {}})
            await asked

    run(main())


def test_a_command_without_an_answer_ends_by_its_deadline(run: Runner) -> None:
    async def main() -> None:
        async with conversation() as (client, qemu):
            with pytest.raises(OperationTimeout, match=r"did not answer command 'query-slow' within 0.01 s"):
                await client.execute("query-slow", deadline=0.01)
            await qemu.hear()
            asked = asyncio.create_task(client.execute("query-quick"))
            await qemu.hear()
            await qemu.say({"return": "late"}, {"return": "quick"})
            assert await asked == "quick"
            with pytest.raises(OperationTimeout, match="the greeting"):
                await client.greeted(0.01)

    run(main())


def test_the_end_fails_what_waits_and_says_so_once(run: Runner) -> None:
    async def main() -> None:
        reasons: list[QmpClosed] = []
        async with conversation(on_closed=reasons.append) as (client, qemu):
            asked = asyncio.create_task(client.execute("query-x"))
            await qemu.hear()
            qemu.hang_up()
            with pytest.raises(QmpClosed, match="End of file from qemu monitor"):
                await asked
            with pytest.raises(QmpClosed):
                await client.execute("query-y")
            with pytest.raises(QmpClosed):
                await client.greeted()
            assert len(reasons) == 1

    run(main())


@pytest.mark.parametrize("data", [b"SSH-2.0-OpenSSH\r\n", b"\x00\xff\xfe\n", b'{"QMP": 5}\n', b"{" * 70_000 + b"\n"])
def test_what_is_not_qemu_is_an_error_and_no_hang(run: Runner, data: bytes) -> None:
    async def main() -> None:
        async with conversation() as (client, qemu):
            await qemu.say_bytes(data)
            with pytest.raises(QmpClosed, match="is not QEMU"):
                await client.greeted()

    run(main())


def test_last_words_can_be_read_at_once(run: Runner) -> None:
    async def main() -> None:
        seen: list[str] = []
        async with conversation(on_event=lambda event: seen.append(event.name)) as (client, qemu):
            await qemu.say({"event": "SHUTDOWN", "timestamp": {"seconds": 1, "microseconds": 2}})
            qemu.hang_up()
            client.drain()
            assert seen == ["SHUTDOWN"]
            assert client.closed is not None

    run(main())


def test_commands_larger_than_the_socket_takes(run: Runner) -> None:
    async def main() -> None:
        async with conversation() as (client, qemu):
            long = "x" * 2_000_000
            first = client.send("first", {"value": long})
            second = client.send("second")
            heard = await qemu.hear()
            assert heard["arguments"]["value"] == long
            await qemu.hear()
            await qemu.say({"return": 1}, {"return": 2})
            assert (bytes(await first), bytes(await second)) == (b"1", b"2")

    run(main())


def test_a_clients_own_json(run: Runner) -> None:
    async def main() -> None:
        async with conversation() as (client, qemu):
            asked = asyncio.create_task(client.execute_text('{"execute": "query-x", "id": "mine"}'))
            heard = await qemu.hear()
            await qemu.say({"return": {"a": 1}})
            assert heard == {"execute": "query-x"}
            assert json.loads(await asked) == {"return": {"a": 1}, "id": "libvirt-1"}
            asked = asyncio.create_task(client.execute_text('{"execute": "no"}'))
            heard = await qemu.hear()
            await qemu.say({"error": {"class": "CommandNotFound", "desc": "d"}})
            assert json.loads(await asked)["error"] == {"class": "CommandNotFound", "desc": "d"}

    run(main())


def test_events_that_somebody_waits_for(run: Runner) -> None:
    async def main() -> None:
        told: list[str] = []
        async with conversation(on_event=lambda event: told.append(event.name)) as (client, qemu):
            with client.expecting("MIGRATION", "STOP") as events:
                for name in ("STOP", "RESUME", "MIGRATION"):
                    await qemu.say({"event": name, "data": {"status": name.lower()}})
                assert [(await events.next()).name, (await events.next()).data] == ["STOP", {"status": "migration"}]
                waiting = asyncio.create_task(events.next())
                await asyncio.sleep(0)
                qemu.hang_up()
                with pytest.raises(QmpClosed):
                    await waiting
            assert told == ["STOP", "RESUME", "MIGRATION"]
            with client.expecting("STOP") as events, pytest.raises(QmpClosed):
                await events.next()

    run(main())
