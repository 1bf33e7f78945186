"""The programs as collections: what is in them, and that little is loaded until it is asked for."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import roost
from roost.protocol import ADMIN, KEEPALIVE, LXC, PROGRAMS, QEMU, REMOTE, Procedure, Program
from roost.wire import Codec


def test_the_numbers_of_the_programs() -> None:
    assert {program.name: (program.number, program.version) for program in PROGRAMS.values()} == {
        "REMOTE": (0x20008086, 1),
        "QEMU": (0x20008087, 1),
        "LXC": (0x00068000, 1),
        "ADMIN": (0x06900690, 1),
        "KEEPALIVE": (0x6B656570, 1),
    }
    assert [program.number for program in PROGRAMS.values()] == list(PROGRAMS)


def test_the_numbers_of_the_procedures_have_no_gap() -> None:
    for program, count in ((REMOTE, 456), (QEMU, 7), (LXC, 1), (ADMIN, 20), (KEEPALIVE, 2)):
        assert list(program.by_number) == list(range(1, count + 1))
        assert [procedure.number for procedure in program] == list(program.by_number)
        assert {procedure.name: procedure for procedure in program} == dict(program.by_name.items())


def test_a_name_behaves_as_in_any_dictionary() -> None:
    assert REMOTE.by_name["DOMAIN_CREATE"] is REMOTE.by_number[9]
    assert REMOTE.by_name.get("DOMAIN_CREATE") is REMOTE.by_number[9]
    assert REMOTE.by_name.get("DOMAIN_NONSENSE") is None
    assert "DOMAIN_NONSENSE" not in REMOTE.by_name
    assert "DOMAIN_CREATE" in REMOTE.by_name
    assert len(REMOTE.by_name) == len(list(REMOTE.by_name)) == 456
    assert list(REMOTE.by_name.keys()) == [procedure.name for procedure in REMOTE.by_name.values()]
    with pytest.raises(KeyError):
        REMOTE.by_name["NONSENSE"]


def test_what_a_record_says() -> None:
    create = REMOTE.by_name["DOMAIN_CREATE"]
    assert (create.program, create.version, create.number, create.api) == (0x20008086, 1, 9, "virDomainCreate")
    assert create.acl == ("domain:start",)
    assert (create.is_event, create.high_priority, create.stream, create.sparse, create.fds) == (False,) * 2 + (
        None,
        False,
        None,
    )
    assert isinstance(create.args, Codec)
    assert create.args is create.args
    assert create.ret is None
    assert create.msg is None
    assert repr(create) == "<Procedure 9 DOMAIN_CREATE>"
    assert repr(create.args) == "<Codec DOMAIN_CREATE arguments (dom)>"
    with pytest.raises(AttributeError):
        create.nonsense  # type: ignore[attr-defined]  # noqa: B018  # that is what is tested


def chosen(attribute: str) -> dict[str, object]:
    return {
        procedure.name: getattr(procedure, attribute)
        for program in PROGRAMS.values()
        for procedure in program
        if getattr(procedure, attribute)
    }


def test_the_streams() -> None:
    assert chosen("stream") == {
        "DOMAIN_MIGRATE_PREPARE_TUNNEL": "write",
        "DOMAIN_MIGRATE_PREPARE_TUNNEL3": "write",
        "DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS": "write",
        "STORAGE_VOL_UPLOAD": "write",
        "STORAGE_VOL_DOWNLOAD": "read",
        "DOMAIN_SCREENSHOT": "read",
        "DOMAIN_OPEN_CONSOLE": "both",
        "DOMAIN_OPEN_CHANNEL": "both",
    }
    assert chosen("sparse") == {"STORAGE_VOL_UPLOAD": True, "STORAGE_VOL_DOWNLOAD": True}


def test_the_messages_with_descriptors() -> None:
    assert chosen("fds") == {
        "DOMAIN_OPEN_GRAPHICS": "call",
        "DOMAIN_OPEN_GRAPHICS_FD": "reply",
        "DOMAIN_CREATE_XML_WITH_FILES": "call",
        "DOMAIN_CREATE_WITH_FILES": "call",
        "DOMAIN_FD_ASSOCIATE": "call",
        "DOMAIN_MONITOR_COMMAND_WITH_FILES": "both",
        "DOMAIN_OPEN_NAMESPACE": "reply",
    }


def test_every_call_names_its_function_and_no_event_does() -> None:
    for program in (REMOTE, QEMU, LXC, ADMIN):
        for procedure in program:
            spoken = not procedure.is_event and not procedure.name.startswith("AUTH_")
            assert bool(procedure.api) == spoken
            assert procedure.api.startswith("vir") == spoken


def test_each_module_is_in_the_order_of_its_numbers() -> None:
    assert sum([len(program.by_number) for program in PROGRAMS.values()]) == 486
    families = [module for name, module in sys.modules.items() if name.startswith("roost.protocol.")]
    tables: list[tuple[Procedure, ...]] = [module.PROCEDURES for module in families if hasattr(module, "PROCEDURES")]
    assert sum([len(table) for table in tables]) == 486
    for table in tables:
        numbers = [procedure.number for procedure in table]
        assert numbers == sorted(numbers)


def run(script: str) -> str:
    """What a fresh interpreter prints, without site packages, as the command line starts it."""
    source = str(Path(roost.__file__).parents[1])
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {source!r}); {script}"]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


def test_start_up_brings_in_nothing_expensive() -> None:
    loaded = run(
        "import roost.wire, roost.protocol; from roost.protocol import REMOTE;"
        "REMOTE.by_name['DOMAIN_CREATE'].args.encode([('vm', bytes(16), 1)]);"
        "print(*sys.modules)"
    ).split()
    assert "roost.protocol.remote.domain" in loaded
    costly = {"typing", "re", "enum", "collections", "dataclasses", "functools", "inspect", "asyncio", "msgspec"}
    assert costly & set(loaded) == set()


def test_a_name_loads_its_own_family_only() -> None:
    loaded = run(
        "from roost.protocol import REMOTE;"
        "REMOTE.by_name['DOMAIN_CREATE']; REMOTE.by_name['CONNECT_OPEN'];"
        "print(*[name for name in sys.modules if name.startswith('roost.protocol.remote.')])"
    ).split()
    assert loaded == ["roost.protocol.remote.domain", "roost.protocol.remote.connect"]


def test_threads_that_look_for_the_same_family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes while another one loads it finds what is in it, too."""
    (tmp_path / "slow_family.py").write_text(
        "import time\nfrom roost.protocol.procedure import Procedure\n"
        "time.sleep(0.2)\nPROCEDURES = (Procedure(1, 'SLOW_ONE'), Procedure(2, 'SLOW_TWO'))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    program = Program(1, 1, "slow", {"SLOW": ("slow_family",)})
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(program.by_name.get, ["SLOW_ONE", "SLOW_TWO"] * 4))
    assert [procedure.number for procedure in found] == [1, 2] * 4
