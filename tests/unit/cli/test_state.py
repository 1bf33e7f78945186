"""Commands about a domain's memory and its jobs, against an end that says what a daemon rarely does."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from roost.cli import jobwatch
from roost.constants import jobs as J
from roost.errors import NoDomain, OperationAborted, OperationFailed
from roost.protocol.types import Domain, TypedParam
from support.answers import Answers
from unit.cli.conftest import Roost

WEB = Domain("web", bytes(range(16)), 7)
INT, ULLONG, STRING = 1, 4, 7


@pytest.fixture(autouse=True)
def domain(daemon: Answers) -> None:
    def by_name(name: str) -> tuple[Domain]:
        if name != "web":
            raise NoDomain(name)
        return (WEB,)

    daemon.answers["DOMAIN_LOOKUP_BY_NAME"] = by_name


def number(field: str, value: int, kind: int = ULLONG) -> TypedParam:
    return TypedParam(field, (kind, value))


def test_a_migration_in_all_its_numbers(roost: Roost, daemon: Answers) -> None:
    parameters = [
        number(J.OPERATION, J.OPERATION_MIGRATION_OUT, INT), number(J.TIME_ELAPSED, 1500),
        number(J.TIME_ELAPSED_NET, 1400), number(J.DOWNTIME, 300), number(J.DOWNTIME_NET, 200), number(J.SETUP_TIME, 5),
        number(J.DATA_TOTAL, 3 << 30), number(J.DATA_PROCESSED, 1 << 20), number(J.DATA_REMAINING, 1 << 30),
        number(J.MEMORY_TOTAL, 3 << 30), number(J.MEMORY_BPS, 0), number(J.MEMORY_PAGE_SIZE, 4096),
        number(J.DISK_TOTAL, 1 << 20), number(J.DISK_BPS, 2048), number(J.COMPRESSION_PAGES, 7),
        number(J.AUTO_CONVERGE_THROTTLE, 20, INT), TypedParam(J.ERRMSG, (STRING, "no")),
    ]  # fmt: skip
    daemon.answers["DOMAIN_GET_JOB_STATS"] = lambda domain, flags: (J.UNBOUNDED, parameters)
    assert roost("-q", "domjobinfo", "web").out == (
        "Job type:         Unbounded   \n"
        "Operation:        Outgoing migration\n"
        "Time elapsed:     1500         ms\n"
        "Time elapsed w/o network: 1400         ms\n"
        "Data processed:   1.000 MiB\n"
        "Data remaining:   1.000 GiB\n"
        "Data total:       3.000 GiB\n"
        "Memory processed: 0.000 B\n"
        "Memory remaining: 0.000 B\n"
        "Memory total:     3.000 GiB\n"
        "Page size:        4096         bytes\n"
        "File processed:   0.000 B\n"
        "File remaining:   0.000 B\n"
        "File total:       1.000 MiB\n"
        "File bandwidth:   2.000 KiB/s\n"
        "Expected downtime: 300          ms\n"
        "Downtime w/o network: 200          ms\n"
        "Setup time:       5            ms\n"
        "Compressed pages: 7            \n"
        "Auto converge throttle: 20           \n"
        "Error message:    no\n"
    )


def test_a_failed_job_is_told_in_brief_unless_asked(roost: Roost, daemon: Answers) -> None:
    parameters = [number(J.OPERATION, J.OPERATION_BACKUP, INT), number(J.TIME_ELAPSED, 9)]
    daemon.answers["DOMAIN_GET_JOB_STATS"] = lambda domain, flags: (J.FAILED, parameters)
    brief = "Job type:         Failed      \nOperation:        Backup      \n"
    assert roost("-q", "domjobinfo", "web").out == brief
    assert roost("-q", "domjobinfo", "web", "--anystats").out == brief + "Time elapsed:     9            ms\n"
    assert roost("-q", "domjobinfo", "web", "--rawstats").out == "Job type: 4\n\noperation: 9\ntime_elapsed: 9\n"


def test_keeping_needs_something_to_keep(roost: Roost) -> None:
    outcome = roost("domjobinfo", "web", "--keep-completed")
    assert outcome.code == 1
    assert outcome.err == "error: Option --completed is required by option --keep-completed\n"


def test_abort_of_a_migration_in_post_copy_mode(roost: Roost, daemon: Answers) -> None:
    daemon.answers["DOMAIN_ABORT_JOB_FLAGS"] = lambda domain, flags: ()
    assert roost("-q", "domjobabort", "web", "--postcopy").code == 0
    assert daemon.sent("DOMAIN_ABORT_JOB_FLAGS") == [(WEB, 1)]


def test_save_by_flags_and_document(roost: Roost, daemon: Answers, tmp_path: Path) -> None:
    daemon.answers |= {"DOMAIN_SAVE": lambda *_: (), "DOMAIN_SAVE_FLAGS": lambda *_: ()}
    (tmp_path / "x.xml").write_text("<domain/>")
    assert roost("save", "web", "/a/b/../c").out == "\nDomain 'web' saved to /a/b/../c\n\n"
    assert roost("save", "web", "c", "--paused", "--bypass-cache", "--xml", str(tmp_path / "x.xml")).code == 0
    assert daemon.sent("DOMAIN_SAVE") == [(WEB, "/a/c")]
    assert daemon.sent("DOMAIN_SAVE_FLAGS") == [(WEB, str(Path.cwd() / "c"), "<domain/>", 5)]
    daemon.answers["DOMAIN_SAVE_PARAMS"] = lambda *_: ()
    assert roost("save", "web", "/c", "--image-format", "zstd", "--paused").code == 0
    assert roost("save", "web", "/c", "--parallel-channels", "2", "--image-format", "sparse").code == 0
    assert roost("save", "web", "/c", "--parallel-channels", "0").code == 0
    malformed = roost("save", "web", "/c", "--parallel-channels", "x")
    assert "Numeric value 'x' for <parallel-channels> option is malformed or out of range" in malformed.err
    assert daemon.sent("DOMAIN_SAVE_PARAMS") == [
        (WEB, [("file", (7, "/c")), ("image_format", (7, "zstd"))], 4),
        (WEB, [("file", (7, "/c")), ("image_format", (7, "sparse")), ("parallel.channels", (1, 2))], 0),
        (WEB, [("file", (7, "/c")), ("parallel.channels", (1, 0))], 0),
    ]


def test_restore_by_channels(roost: Roost, daemon: Answers, tmp_path: Path) -> None:
    daemon.answers |= {"DOMAIN_RESTORE_PARAMS": lambda *_: (), "DOMAIN_RESTORE": lambda *_: ()}
    (tmp_path / "x.xml").write_text("<domain/>")
    assert roost("restore", "/c").code == 0
    assert roost("restore", "/c", "--parallel-channels", "3", "--running").code == 0
    assert roost("restore", "/c", "--parallel-channels", "1", "--xml", str(tmp_path / "x.xml")).code == 0
    assert daemon.sent("DOMAIN_RESTORE") == [("/c",)]
    assert daemon.sent("DOMAIN_RESTORE_PARAMS") == [
        ([("file", (7, "/c")), ("parallel.channels", (1, 3))], 2),
        ([("file", (7, "/c")), ("dxml", (7, "<domain/>")), ("parallel.channels", (1, 1))], 0),
    ]


def test_progress_while_the_daemon_works(roost: Roost, daemon: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobwatch, "_INTERVAL", 0.01)
    looked = threading.Event()

    def save(*_: object) -> tuple[object, ...]:
        looked.wait(30)
        return ()

    def info(_: object) -> tuple[int, ...]:
        looked.set()
        return (2, 0, 0, 100, 60, 40, *[0] * 6)

    with Answers({"DOMAIN_GET_JOB_INFO": info}) as second:
        from roost.client.blocking import Client

        first_open = Client.open

        def open_client(name: str | None = None, **options: Any) -> Client:
            if threading.current_thread() is threading.main_thread():
                return first_open(name, **options)
            client = Client(second.client_socket())
            client.handshake(name or "")
            return client

        monkeypatch.setattr(Client, "open", open_client)
        daemon.answers["DOMAIN_MANAGED_SAVE"] = save
        outcome = roost("managedsave", "web", "--verbose")
    assert outcome.code == 0
    assert "\rManagedsave: [ 60 %]" in outcome.err
    assert outcome.err.endswith("\rManagedsave: [100 %]")


def test_what_could_not_be_saved(roost: Roost, daemon: Answers) -> None:
    def refuse(*_: object) -> tuple[object, ...]:
        raise OperationAborted("job 'domain save' canceled by client")

    daemon.answers["DOMAIN_MANAGED_SAVE"] = refuse
    outcome = roost("managedsave", "web")
    assert outcome.code == 1
    assert outcome.err.startswith(
        "error: Failed to save domain 'web' state\nerror: operation aborted: job 'domain save'"
    )


def test_an_image_that_is_not_changed(roost: Roost, daemon: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "true")
    daemon.answers["DOMAIN_SAVE_IMAGE_GET_XML_DESC"] = lambda path, flags: ("<domain/>\n",)
    daemon.answers["DOMAIN_MANAGED_SAVE_GET_XML_DESC"] = lambda domain, flags: ("<domain/>\n",)
    assert roost("save-image-edit", "/a").out == "Saved image /a XML configuration not changed.\n\n"
    text = "Managed save image of domain 'web' XML configuration not changed.\n\n"
    assert roost("managedsave-edit", "web").out == text
    assert roost("managedsave-edit", "web", "--running", "--paused").code == 1


def test_an_image_that_is_changed(roost: Roost, daemon: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "sed -i s/domain/other/")
    daemon.answers |= {
        "DOMAIN_SAVE_IMAGE_GET_XML_DESC": lambda path, flags: ("<domain/>\n",),
        "DOMAIN_SAVE_IMAGE_DEFINE_XML": lambda path, xml, flags: (),
    }
    assert roost("save-image-edit", "/a", "--running").out == "State file /a edited.\n\n"
    assert daemon.sent("DOMAIN_SAVE_IMAGE_DEFINE_XML") == [("/a", "<other/>\n", 2)]


def test_a_removal_that_has_nothing_to_remove(roost: Roost, daemon: Answers) -> None:
    daemon.answers["DOMAIN_HAS_MANAGED_SAVE_IMAGE"] = lambda domain, flags: (0,)
    outcome = roost("managedsave-remove", "web")
    assert outcome.out == "Domain 'web' has no manage save image; removal skipped\n"

    def refuse(*_: object) -> tuple[object, ...]:
        raise OperationFailed("no")

    daemon.answers["DOMAIN_HAS_MANAGED_SAVE_IMAGE"] = refuse
    assert "error: Failed to check for domain managed save image\n" in roost("managedsave-remove", "web").err


def test_dump_formats_are_of_memory_alone(roost: Roost, daemon: Answers) -> None:
    daemon.answers["DOMAIN_CORE_DUMP_WITH_FORMAT"] = lambda *_: ()
    assert roost("-q", "dump", "web", "/a", "--memory-only", "--format", "kdump-lzo", "--live").code == 0
    assert daemon.sent("DOMAIN_CORE_DUMP_WITH_FORMAT") == [(WEB, "/a", 2, 18)]
    assert "--format only works with --memory-only" in roost("dump", "web", "/a", "--format", "elf").err
    assert "format 'x' is not supported" in roost("dump", "web", "/a", "--memory-only", "--format", "x").err
