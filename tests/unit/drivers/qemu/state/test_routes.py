"""What QEMU is told of the way that memory takes, by one that can do more or less."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from roost.drivers.qemu.qmp import QmpClient, QmpCommandError
from roost.drivers.qemu.state.routes import Mapped, Stream, announce, channels_for, check_mapped, take_back
from roost.errors import ArgumentUnsupported, InternalError, InvalidArg

OLD = ("events", "multifd")
NEW = (*OLD, "mapped-ram")


class Monitor:
    """A QEMU of those capabilities and parameters; `told` is what it was asked to change."""

    def __init__(self, capabilities: Sequence[str], *parameters: str, refused: Sequence[str] = ()) -> None:
        self._answers: dict[str, Any] = {
            "query-migrate-capabilities": [{"capability": name, "state": False} for name in capabilities],
            "query-migrate-parameters": dict.fromkeys(parameters, False),
            "query-fdsets": [
                {"fdset-id": 1, "fds": [{"fd": 9, "opaque": "roost-memory"}, {"fd": 10, "opaque": "roost-memory"}]},
                {"fdset-id": 4, "fds": [{"fd": 11, "opaque": "a disk"}, {"fd": 12}]},
            ],
        }
        self._refused = refused
        self.told: list[tuple[str, Any, tuple[int, ...]]] = []

    async def execute(
        self, command: str, arguments: Mapping[str, Any] | None = None, *, descriptors: Sequence[int] = ()
    ) -> Any:
        if command in self._refused:
            raise QmpCommandError(command, "GenericError", "no")
        if command in self._answers:
            return self._answers[command]
        self.send(command, arguments, descriptors=descriptors)
        return {"fdset-id": 7} if command == "add-fd" else {}

    def send(self, command: str, arguments: Any = None, *, descriptors: Sequence[int] = ()) -> None:
        if command == "migrate-set-capabilities":
            arguments = {each["capability"]: each["state"] for each in arguments["capabilities"]}
        self.told.append((command, arguments, tuple(descriptors)))


def uri_of(route: Stream | Mapped, monitor: Monitor, command: str = "migrate") -> str:
    async def main() -> str:
        async with route.opened(cast(QmpClient, monitor)) as uri:
            await monitor.execute(command)
        return uri

    return asyncio.run(main())


@pytest.mark.parametrize("known", [OLD, NEW])
def test_a_stream(known: Sequence[str]) -> None:
    """Whatever the last migration was like, this one is none with places."""
    monitor = Monitor(known)
    assert uri_of(Stream(5), monitor) == "fd:migrate"
    wanted = {name: name == "events" for name in known}
    assert monitor.told == [
        ("migrate-set-capabilities", wanted, ()),
        ("getfd", {"fdname": "migrate"}, (5,)),
        ("migrate", None, ()),
    ]


def test_a_stream_that_was_not_taken() -> None:
    monitor = Monitor(OLD, refused=["migrate"])
    with pytest.raises(QmpCommandError):
        uri_of(Stream(5), monitor)
    assert monitor.told[-1] == ("closefd", {"fdname": "migrate"}, ())


@pytest.mark.parametrize(
    ("files", "parameters", "told"),
    [
        ((5,), (), {"multifd-channels": 2}),
        ((5,), ("direct-io",), {"multifd-channels": 2, "direct-io": False}),
        ((5, 6), ("direct-io",), {"multifd-channels": 2, "direct-io": True}),
    ],
)
def test_places(files: tuple[int, ...], parameters: tuple[str, ...], told: dict[str, Any]) -> None:
    """What another migration has set of them is set anew."""
    monitor = Monitor(NEW, *parameters)
    assert uri_of(Mapped(files, 65656, 2), monitor) == "file:/dev/fdset/7,offset=65656"
    lent = [("add-fd", {"opaque": "roost-memory", **({"fdset-id": 7} if file == 6 else {})}, (file,)) for file in files]
    assert monitor.told == [
        ("migrate-set-capabilities", dict.fromkeys(NEW, True), ()),
        ("migrate-set-parameters", told, ()),
        *lent,
        ("migrate", None, ()),
        ("remove-fd", {"fdset-id": 7}, ()),
    ]


def test_places_that_were_not_taken() -> None:
    """The file is QEMU's no longer; it never was where its channels are too many."""
    monitor = Monitor(NEW, refused=["migrate"])
    with pytest.raises(QmpCommandError):
        uri_of(Mapped((5,), 1, 1), monitor)
    assert monitor.told[-1] == ("remove-fd", {"fdset-id": 7}, ())
    monitor = Monitor(NEW, refused=["migrate-set-parameters"])
    with pytest.raises(InternalError, match="900 channels are too many"):
        uri_of(Mapped((5,), 1, 900), monitor)
    assert [command for command, _, _ in monitor.told] == ["migrate-set-capabilities"]


def test_what_a_qemu_cannot() -> None:
    def check(monitor: Monitor, *, direct: bool) -> None:
        asyncio.run(check_mapped(cast(QmpClient, monitor), direct=direct))

    with pytest.raises(ArgumentUnsupported, match=r"save image format 'sparse' is not supported; .*no mapped-ram"):
        check(Monitor(OLD, "direct-io"), direct=False)
    check(Monitor(NEW), direct=False)
    with pytest.raises(ArgumentUnsupported, match=r"is not supported past the cache; .*no direct-io"):
        check(Monitor(NEW), direct=True)
    check(Monitor(NEW, "direct-io"), direct=True)


def test_only_what_is_known_is_set() -> None:
    monitor = Monitor(["events"])
    asyncio.run(announce(cast(QmpClient, monitor)))
    assert monitor.told == [("migrate-set-capabilities", {"events": True}, ())]


def test_what_a_daemon_did_not_live_to_take_back() -> None:
    monitor = Monitor(NEW)
    asyncio.run(take_back(cast(QmpClient, monitor)))
    assert monitor.told == [("remove-fd", {"fdset-id": 1}, ())]


def test_numbers_of_channels() -> None:
    assert channels_for("raw", None) == 0
    assert channels_for("sparse", None) == 1
    assert channels_for("sparse", 9) == 9
    for format in ("raw", "zstd"):
        with pytest.raises(InvalidArg, match="only supported with the 'sparse' save image format; this image is"):
            channels_for(format, 0)
    for number in (0, -1):
        with pytest.raises(InvalidArg, match="number of parallel save channels cannot be less than 1"):
            channels_for("sparse", number)
