"""Commands whose output depends on what a daemon rarely says, against an end that says it."""

from __future__ import annotations

from typing import Any

import pytest

from roost.errors import (
    InternalError,
    InvalidArg,
    NoDomain,
    NoDomainMetadata,
    NoStoragePool,
    NoStorageVol,
    NoSupport,
    OperationFailed,
)
from roost.protocol.types import Domain, StoragePool, StorageVol, TypedParam
from support.answers import Answers
from unit.cli.conftest import Roost

WEB = Domain("web", bytes(range(16)), 7)
OFF = Domain("off", bytes(16), -1)


@pytest.fixture(autouse=True)
def domains(daemon: Answers) -> None:
    def by_name(name: str) -> tuple[Domain]:
        for domain in (WEB, OFF):
            if domain.name == name:
                return (domain,)
        raise NoDomain(name)

    daemon.answers |= {
        "DOMAIN_LOOKUP_BY_NAME": by_name,
        "DOMAIN_GET_STATE": lambda domain, flags: (1, 1) if domain.id != -1 else (5, 0),
        "DOMAIN_IS_ACTIVE": lambda domain: (int(domain.id != -1),),
        "DOMAIN_IS_PERSISTENT": lambda domain: (1,),
    }


def document(daemon: Answers, devices: str) -> None:
    daemon.answers["DOMAIN_GET_XML_DESC"] = lambda domain, flags: (
        f"<domain><vcpu current='1'>3</vcpu><devices>{devices}</devices></domain>",
    )


def fail(error: Exception) -> Any:
    def answer(*_: object) -> tuple[object, ...]:
        raise error

    return answer


# list


def listing(daemon: Answers, *domains: Domain) -> None:
    daemon.answers["CONNECT_LIST_ALL_DOMAINS"] = lambda need, flags: (list(domains), len(domains))


def test_list_sorts_running_ones_by_id_and_others_by_name(roost: Roost, daemon: Answers) -> None:
    listing(daemon, Domain("b", bytes(16), -1), Domain("z", bytes(16), 12), Domain("A", bytes(16), -1), WEB)
    assert roost("-q", "list", "--all").out == (
        " 7    web   running\n 12   z     running\n -    A     shut off\n -    b     shut off\n"
    )


def test_list_leaves_out_what_went_away(roost: Roost, daemon: Answers) -> None:
    listing(daemon, WEB, Domain("gone", bytes(16), 9))
    daemon.answers["DOMAIN_GET_STATE"] = lambda domain, flags: (1, 1) if domain == WEB else fail(NoDomain("gone"))()
    assert roost("-q", "list").out == " 7    web   running\n".replace("    ", "   ")


def test_list_from_a_daemon_that_knows_no_reasons(roost: Roost, daemon: Answers) -> None:
    listing(daemon, WEB)
    del daemon.answers["DOMAIN_GET_STATE"]
    daemon.answers["DOMAIN_GET_INFO"] = lambda domain: (3, 1, 1, 1, 1)
    assert roost("-q", "list").out == " 7   web   paused\n"


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        ([], 1),
        (["--inactive"], 2),
        (["--all"], 3),
        (["--state-shutoff"], 2 | 64),
        (["--all", "--transient", "--autostart"], 3 | 8 | 1024),
        (["--persistent", "--with-snapshot", "--without-checkpoint"], 1 | 4 | 4096 | 32768),
        (["--state-running", "--state-paused", "--state-other"], 1 | 16 | 32 | 128),
        (["--with-managed-save"], 1 | 256),
        (
            ["--without-managed-save", "--no-autostart", "--without-snapshot", "--with-checkpoint"],
            1 | 512 | 2048 | 8192 | 16384,
        ),
    ],
)
def test_list_filters(roost: Roost, daemon: Answers, words: list[str], flags: int) -> None:
    listing(daemon)
    assert roost("list", *words).code == 0
    assert daemon.sent("CONNECT_LIST_ALL_DOMAINS") == [(1, flags)]


def test_list_shows_saved_domains(roost: Roost, daemon: Answers) -> None:
    listing(daemon, OFF)
    daemon.answers["DOMAIN_HAS_MANAGED_SAVE_IMAGE"] = lambda domain, flags: (1,)
    assert roost("-q", "list", "--all", "--managed-save").out == " -   off   saved\n"


def test_list_titles(roost: Roost, daemon: Answers) -> None:
    listing(daemon, WEB, OFF)
    daemon.answers["DOMAIN_GET_METADATA"] = lambda domain, *_: (
        ("Web 水",) if domain == WEB else fail(NoDomainMetadata())()
    )
    assert roost("list", "--title").out == (
        " Id   Name   State      Title\n"
        "--------------------------------\n"
        " 7    web    running    Web 水\n"
        " -    off    shut off   \n\n"
    )


def test_list_titles_from_the_document(roost: Roost, daemon: Answers) -> None:
    listing(daemon, WEB)
    daemon.answers["DOMAIN_GET_XML_DESC"] = lambda domain, flags: ("<domain><title>Web</title></domain>",)
    assert roost("-q", "list", "--title").out == " 7   web   running   Web\n"


def test_list_lines(roost: Roost, daemon: Answers) -> None:
    listing(daemon, WEB, OFF)
    assert roost("-q", "list", "--all", "--id").out == "7\n"
    assert roost("-q", "list", "--all", "--id", "--name").out == "7 web\n- off\n"
    assert roost("-q", "list", "--all", "--uuid").out.splitlines()[0] == "00010203-0405-0607-0809-0a0b0c0d0e0f"


def test_list_refused(roost: Roost, daemon: Answers) -> None:
    daemon.answers["CONNECT_LIST_ALL_DOMAINS"] = fail(InvalidArg("unsupported flags (0x4000)"))
    assert roost("list", "--with-checkpoint").err == (
        "error: Failed to list domains\nerror: invalid argument: unsupported flags (0x4000)\n"
    )


# state and statistics


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ((1, 1), "running (booted)"),
        ((3, 5), "paused (I/O error)"),
        ((5, 2), "shut off (destroyed)"),
        ((5, 99), "shut off (unknown)"),
        ((6, 1), "crashed (panicked)"),
        ((77, 0), "no state (unknown)"),
    ],
)
def test_states(roost: Roost, daemon: Answers, answer: tuple[int, int], text: str) -> None:
    daemon.answers["DOMAIN_GET_STATE"] = lambda domain, flags: answer
    assert roost("domstate", "web", "--reason").out == text + "\n\n"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ((0, 0, 0), "ok"),
        ((1, 0, 1500), "background job (1.500s)"),
        ((2, 0, 10), "occupied (0.010s)"),
        ((3, 2, 0), "error: monitor failure"),
        ((3, 0, 0), "error"),
        ((9, 0, 0), "unknown (0.000s)"),
    ],
)
def test_control_states(roost: Roost, daemon: Answers, answer: tuple[int, int, int], text: str) -> None:
    daemon.answers["DOMAIN_GET_CONTROL_INFO"] = lambda domain, flags: answer
    assert roost("domcontrol", "web").out == text + "\n\n"


def test_dominfo_says_what_it_can_and_fails(roost: Roost, daemon: Answers) -> None:
    daemon.answers |= {
        "DOMAIN_GET_OS_TYPE": lambda domain: ("hvm",),
        "DOMAIN_GET_INFO": fail(OperationFailed("no monitor")),
        "DOMAIN_IS_PERSISTENT": fail(OperationFailed("x")),
        "DOMAIN_GET_AUTOSTART": lambda domain: (1,),
    }
    outcome = roost("dominfo", "web")
    assert outcome.out == (
        "Id:             7\nName:           web\nUUID:           00010203-0405-0607-0809-0a0b0c0d0e0f\n"
        "OS Type:        hvm\nPersistent:     unknown\nAutostart:      enable\nManaged save:   unknown\n\n"
    )
    assert outcome.err == "error: operation failed: no monitor\n"
    assert outcome.code == 1


def test_dominfo_with_everything(roost: Roost, daemon: Answers) -> None:
    daemon.answers |= {
        "DOMAIN_GET_OS_TYPE": lambda domain: ("hvm",),
        "DOMAIN_GET_INFO": lambda domain: (1, 2**32 - 1, 1024, 2, 1_550_000_000),
        "DOMAIN_GET_AUTOSTART": lambda domain: (0,),
        "DOMAIN_HAS_MANAGED_SAVE_IMAGE": lambda domain, flags: (1,),
        "NODE_GET_SECURITY_MODEL": lambda: (b"apparmor\0", b"0\0"),
        "DOMAIN_GET_SECURITY_LABEL": lambda domain: (b"libvirt-x\0", 0),
        "DOMAIN_GET_MESSAGES": lambda domain, flags: (["tainted: one", "deprecated: two"],),
    }
    assert roost("dominfo", "web").out.splitlines()[4:] == [
        "State:          running",
        "CPU(s):         2",
        "CPU time:       1.6s",
        "Max memory:     no limit",
        "Used memory:    1024 KiB",
        "Persistent:     yes",
        "Autostart:      disable",
        "Managed save:   yes",
        "Security model: apparmor",
        "Security DOI:   0",
        "Security label: libvirt-x (permissive)",
        "Messages:       tainted: one",
        "                deprecated: two",
        "",
    ]


def test_domstats(roost: Roost, daemon: Answers) -> None:
    params = [TypedParam("state.state", (1, 1)), TypedParam("x", (6, 0)), TypedParam("s", (7, "text"))]
    daemon.answers["CONNECT_GET_ALL_DOMAIN_STATS"] = lambda doms, stats, flags: ([(WEB, params), (OFF, [])],)
    assert roost("domstats", "--state", "--vm", "--list-active", "--nowait", "web", "off").out == (
        "Domain: 'web'\n  state.state=1\n  x=no\n  s=text\n\nDomain: 'off'\n\n"
    )
    assert daemon.sent("CONNECT_GET_ALL_DOMAIN_STATS") == [([WEB, OFF], 1 | 1024, 1 | 1 << 29)]


def test_memory_period(roost: Roost, daemon: Answers) -> None:
    daemon.answers["DOMAIN_SET_MEMORY_STATS_PERIOD"] = lambda domain, period, flags: ()
    assert roost("dommemstat", "web", "--period", "5").out == "\n"
    assert roost("dommemstat", "off", "--period", "5").out == "\n"
    assert roost("dommemstat", "web", "--period", "5", "--config").out == "\n"
    assert [(call[1], call[2]) for call in daemon.sent("DOMAIN_SET_MEMORY_STATS_PERIOD")] == [(5, 1), (5, 0), (5, 2)]


def test_block_statistics_from_an_old_daemon(roost: Roost, daemon: Answers) -> None:
    daemon.answers["DOMAIN_BLOCK_STATS"] = lambda domain, path: (1, 2, 3, 4, -1)
    assert roost("-q", "domblkstat", "web", "vda").out == "vda rd_req 1\nvda rd_bytes 2\nvda wr_req 3\nvda wr_bytes 4\n"


# vcpucount


def test_vcpus_from_an_old_daemon(roost: Roost, daemon: Answers) -> None:
    daemon.answers |= {
        "DOMAIN_GET_MAX_VCPUS": lambda domain: (4,),
        "DOMAIN_GET_INFO": lambda domain: (1, 1, 1, 2, 1),
    }
    document(daemon, "")
    assert roost("-q", "vcpucount", "web").out == (
        "maximum      config         3\nmaximum      live           4\n"
        "current      config         1\ncurrent      live           2\n"
    )


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        (["--maximum"], 4),
        (["--maximum", "--live"], 5),
        (["--active", "--config"], 2),
        (["--current", "--live"], 1),
        (["--current"], 0),
        (["--guest"], 8),
    ],
)
def test_vcpu_flags(roost: Roost, daemon: Answers, words: list[str], flags: int) -> None:
    daemon.answers["DOMAIN_GET_VCPUS_FLAGS"] = lambda domain, flags: (2,)
    assert roost("vcpucount", "web", *words).out == "2\n\n"
    assert [call[1] for call in daemon.sent("DOMAIN_GET_VCPUS_FLAGS")] == [flags]


# displays


@pytest.mark.parametrize(
    ("graphics", "uri"),
    [
        ("<graphics type='vnc' port='5901'/>", "vnc://localhost:1"),
        ("<graphics type='vnc' port='5901' listen='0.0.0.0'/>", "vnc://localhost:1"),
        ("<graphics type='vnc' port='5901' listen='::'/>", "vnc://localhost:1"),
        ("<graphics type='vnc' port='5901' listen='::1'/>", "vnc://[::1]:1"),
        ("<graphics type='vnc' port='5901'><listen type='address' address='10.0.0.1'/></graphics>", "vnc://10.0.0.1:1"),
        ("<graphics type='vnc' port='5901' passwd='pw'/>", "vnc://:pw@localhost:1"),
        ("<graphics type='vnc'><listen type='socket' socket='/run/vnc.sock'/></graphics>", "vnc+unix:///run/vnc.sock"),
        (
            "<graphics type='spice' port='5900' tlsPort='5901' passwd='pw'/>",
            "spice://localhost:5900?tls-port=5901&password=pw",
        ),
        ("<graphics type='spice' tlsPort='5901' listen='h'/>", "spice://h?tls-port=5901"),
        ("<graphics type='rdp' port='3389'/>", "rdp://localhost:3389"),
        ("<graphics type='dbus' address='unix:path=/run/dbus'/>", "dbus+unix:///run/dbus"),
    ],
)
def test_displays(roost: Roost, daemon: Answers, graphics: str, uri: str) -> None:
    document(daemon, graphics)
    assert roost("-q", "domdisplay", "web").out == uri


def test_all_displays(roost: Roost, daemon: Answers) -> None:
    document(daemon, "<graphics type='spice' port='5900'/><graphics type='vnc' port='5901'/>")
    assert roost("-q", "domdisplay", "web", "--all").out == "vnc://localhost:1\nspice://localhost:5900\n"
    assert roost("-q", "domdisplay", "web", "--type", "spice").out == "spice://localhost:5900"
    assert roost("domdisplay", "web", "--type", "rdp").err == "error: No graphical display with type 'rdp' found\n"
    assert roost("domdisplay", "off").err == "error: Domain is not running\n"


@pytest.mark.parametrize(
    ("graphics", "text"),
    [
        ("<graphics type='vnc' port='5901' listen='127.0.0.1'/>", "127.0.0.1:1"),
        ("<graphics type='vnc' port='5901' listen='0.0.0.0'/>", ":1"),
        ("<graphics type='vnc' port='5901'><listen type='address' address='10.0.0.1'/></graphics>", "10.0.0.1:1"),
        ("<graphics type='vnc' port='5901'/>", ":1"),
    ],
)
def test_vnc_displays(roost: Roost, daemon: Answers, graphics: str, text: str) -> None:
    document(daemon, graphics)
    assert roost("-q", "vncdisplay", "web").out == text + "\n"


def test_no_vnc_display(roost: Roost, daemon: Answers) -> None:
    document(daemon, "<graphics type='spice' port='5900'/>")
    assert roost("vncdisplay", "web").err == "error: Failed to get VNC port. Is this domain using VNC?\n"


# devices


def test_disks(roost: Roost, daemon: Answers) -> None:
    document(
        daemon,
        "<disk type='network' device='disk'><source protocol='rbd' name='pool/image'/><target dev='vda'/></disk>"
        "<disk type='volume' device='disk'><source pool='p' volume='v'/><target dev='vdb'/></disk>"
        "<disk type='nvme' device='disk'><source type='pci' namespace='1'>"
        "<address domain='0x0000' bus='0x01' slot='0x02' function='0x3'/></source><target dev='vdc'/></disk>"
        "<disk type='file' device='cdrom'><target dev='sda'/></disk>",
    )
    assert roost("-q", "domblklist", "web", "--details").out == (
        " network   disk    vda   pool/image\n"
        " volume    disk    vdb   v\n"
        " nvme      disk    vdc   nvme://0000:01:02.3/1\n"
        " file      cdrom   sda   -\n"
    )


def test_interfaces(roost: Roost, daemon: Answers) -> None:
    document(
        daemon,
        "<interface type='user'/>"
        "<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/>"
        "<target dev='vnet0'/><model type='virtio'/></interface>",
    )
    assert roost("-q", "domiflist", "web").out == (
        " -       user     -     -        -\n vnet0   bridge   br0   virtio   52:54:00:00:00:01\n"
    )


# lifecycle


def test_start_flags(roost: Roost, daemon: Answers) -> None:
    daemon.answers |= {"DOMAIN_CREATE": lambda domain: (), "DOMAIN_CREATE_WITH_FLAGS": lambda domain, flags: (domain,)}
    assert roost("start", "off").out == "Domain 'off' started\n\n"
    assert roost("start", "off", "--paused", "--force-boot", "--bypass-cache").code == 0
    assert daemon.sent("DOMAIN_CREATE_WITH_FLAGS") == [(OFF, 1 | 4 | 8)]
    assert roost("start", "web").err == "error: Domain is already active\n"
    assert roost("start", "off", "--pass-fds", "1,x").err == "error: Unable to parse FD number 'x'\n"


def test_failures_put_the_command_before_the_cause(roost: Roost, daemon: Answers) -> None:
    daemon.answers["DOMAIN_CREATE"] = fail(InternalError("process exited"))
    outcome = roost("start", "off")
    assert outcome.err == "error: Failed to start domain 'off'\nerror: internal error: process exited\n"
    assert outcome.code == 1


@pytest.mark.parametrize(
    ("command", "procedure", "arguments"),
    [
        (["shutdown"], "DOMAIN_SHUTDOWN", ()),
        (["shutdown", "--mode", "acpi,agent"], "DOMAIN_SHUTDOWN_FLAGS", (3,)),
        (["reboot"], "DOMAIN_REBOOT", (0,)),
        (["reboot", "--mode", "signal"], "DOMAIN_REBOOT", (8,)),
        (["destroy"], "DOMAIN_DESTROY", ()),
        (["destroy", "--graceful", "--remove-logs"], "DOMAIN_DESTROY_FLAGS", (3,)),
        (["autostart"], "DOMAIN_SET_AUTOSTART", (1,)),
        (["autostart", "--disable"], "DOMAIN_SET_AUTOSTART", (0,)),
        (["reset"], "DOMAIN_RESET", (0,)),
        (["suspend"], "DOMAIN_SUSPEND", ()),
        (["resume"], "DOMAIN_RESUME", ()),
    ],
)
def test_what_is_called(
    roost: Roost, daemon: Answers, command: list[str], procedure: str, arguments: tuple[int, ...]
) -> None:
    daemon.answers[procedure] = lambda *_: ()
    assert roost(*command, "web").code == 0
    assert daemon.sent(procedure) == [(WEB, *arguments)]


# undefine


@pytest.fixture
def removable(daemon: Answers) -> Answers:
    daemon.answers |= {
        "DOMAIN_HAS_MANAGED_SAVE_IMAGE": lambda domain, flags: (1,),
        "DOMAIN_SNAPSHOT_NUM": lambda domain, flags: (2,),
        "DOMAIN_UNDEFINE_FLAGS": lambda domain, flags: (),
    }
    return daemon


ALL_UNDEFINE = ["--managed-save", "--snapshots-metadata", "--checkpoints-metadata", "--keep-nvram", "--tpm"]


def test_undefine_sends_what_there_is(roost: Roost, removable: Answers) -> None:
    assert roost("undefine", "off", *ALL_UNDEFINE).out == "Domain 'off' has been undefined\n\n"
    assert roost("undefine", "web", *ALL_UNDEFINE).code == 0
    removable.answers["DOMAIN_HAS_MANAGED_SAVE_IMAGE"] = fail(NoSupport("x"))
    removable.answers["DOMAIN_SNAPSHOT_NUM"] = lambda domain, flags: (0,)
    assert roost("undefine", "off", *ALL_UNDEFINE).code == 0
    always = 16 | 8 | 32
    assert [call[1] for call in removable.sent("DOMAIN_UNDEFINE_FLAGS")] == [1 | 2 | always, always, always]


def test_undefine_with_volumes(roost: Roost, removable: Answers) -> None:
    document(
        removable,
        "<disk><source file='/a'/><target dev='vda'/></disk><disk><source file='/b'/><target dev='vdb'/></disk>"
        "<disk><source pool='p' volume='v'/><target dev='vdc'/></disk><disk><target dev='sda'/></disk>"
        "<disk><source pool='gone' volume='w'/><target dev='vdd'/></disk>",
    )

    def by_path(path: str) -> tuple[StorageVol]:
        if path == "/b":
            raise NoStorageVol(path)
        return (StorageVol("p", "a", path),)

    def pool(name: str) -> tuple[StoragePool]:
        if name == "gone":
            raise NoStoragePool(name)
        return (StoragePool(name, bytes(16)),)

    removable.answers |= {
        "STORAGE_VOL_LOOKUP_BY_PATH": by_path,
        "STORAGE_POOL_LOOKUP_BY_NAME": pool,
        "STORAGE_VOL_LOOKUP_BY_NAME": lambda pool, name: (StorageVol("p", name, f"/p/{name}"),),
        "STORAGE_VOL_WIPE": lambda volume, flags: () if volume.name == "a" else fail(OperationFailed("busy"))(),
        "STORAGE_VOL_DELETE": lambda volume, flags: (),
    }
    outcome = roost("undefine", "off", "--remove-all-storage", "--wipe-storage", "--delete-snapshots")
    assert outcome.out == (
        "Domain 'off' has been undefined\n"
        "Wiping volume 'vda'(/a) ... Done.\nVolume 'vda'(/a) removed.\nWiping volume 'vdc'(v) ... \n"
    )
    assert outcome.err == (
        "error: Storage volume 'vdb'(/b) is not managed by libvirt. Remove it manually.\n\n"
        "error: Storage pool 'gone' for volume 'vdd' not found.\n"
        "error: Failed! Volume not removed.\nerror: operation failed: busy\n"
    )
    assert outcome.code == 1
    assert removable.sent("STORAGE_VOL_DELETE") == [(StorageVol("p", "a", "/a"), 2)]


def test_undefine_chosen_volumes(roost: Roost, removable: Answers) -> None:
    document(removable, "<disk><source file='/a'/><target dev='vda'/></disk>")
    outcome = roost("undefine", "off", "--storage", "/a,vdx")
    assert outcome.err.startswith("error: Storage volume 'vda'(/a) is not managed")
    assert outcome.err.endswith("error: Volume 'vdx' was not found in domain's definition.\n\n")
    assert removable.sent("DOMAIN_UNDEFINE_FLAGS") == []
    assert "only on stopped domains" in roost("undefine", "web", "--storage", "vda").err


# descriptions and metadata


def test_descriptions(roost: Roost, daemon: Answers) -> None:
    daemon.answers |= {
        "DOMAIN_GET_METADATA": fail(NoDomainMetadata()),
        "DOMAIN_SET_METADATA": lambda *_: (),
    }
    assert roost("desc", "web").out == "No description for domain: web\n"
    assert roost("desc", "web", "--title").out == "No title for domain: web\n"
    assert roost("desc", "web", "two", "words", "--config").out == "Domain description updated successfully\n"
    assert daemon.sent("DOMAIN_SET_METADATA") == [(WEB, 0, "two words", None, None, 2)]


def test_metadata(roost: Roost, daemon: Answers) -> None:
    daemon.answers["DOMAIN_SET_METADATA"] = lambda *_: ()
    assert roost("metadata", "web", "http://x", "--remove").out == "Metadata removed\n\n"
    assert roost("metadata", "web", "http://x", "--key", "k", "--set", "<a/>").out == "Metadata modified\n\n"
    assert roost("metadata", "web", "http://x", "--set", "<a/>").err == (
        "error: namespace key is required when modifying metadata\n"
    )
    assert [call[2:5] for call in daemon.sent("DOMAIN_SET_METADATA")] == [
        (None, None, "http://x"),
        ("<a/>", "k", "http://x"),
    ]


# monitor


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["query-status"], '{"execute":"query-status"}'),
        (['{"execute":"x"}'], '{"execute":"x"}'),
        (['{"execute":', '"x"}'], '{"execute": "x"}'),
        (["x", '{"a":1}'], '{"execute":"x","arguments":{"a":1}}'),
        (["x", '"a":1', '"b":"ü"'], '{"execute":"x","arguments":{"a":1,"b":"ü"}}'),
        (["--hmp", "info", "status"], "info status"),
    ],
)
def test_monitor_commands(roost: Roost, daemon: Answers, words: list[str], command: str) -> None:
    daemon.answers["DOMAIN_MONITOR_COMMAND"] = lambda domain, command, flags: ("done",)
    assert roost("qemu-monitor-command", "web", *words).out == "done\n\n"
    assert daemon.sent("DOMAIN_MONITOR_COMMAND") == [(WEB, command, int("--hmp" in words))]


@pytest.mark.parametrize(
    ("words", "out", "err"),
    [
        ([], '{"return":{"a":1},"id":"x"}\n', ""),
        (["--pretty"], '{\n  "return": {\n    "a": 1\n  },\n  "id": "x"\n}', ""),
        (["--return-value"], '{"a":1}', ""),
        (["--return-value", "--pretty"], '{\n  "a": 1\n}', ""),
    ],
)
def test_monitor_answers(roost: Roost, daemon: Answers, words: list[str], out: str, err: str) -> None:
    daemon.answers["DOMAIN_MONITOR_COMMAND"] = lambda *_: ('{"return":{"a":1},"id":"x"}',)
    outcome = roost("-q", "qemu-monitor-command", "web", "x", *words)
    assert (outcome.out, outcome.err) == (out, err)


def test_monitor_answers_that_are_none(roost: Roost, daemon: Answers) -> None:
    daemon.answers["DOMAIN_MONITOR_COMMAND"] = lambda *_: ("not json",)
    assert roost("qemu-monitor-command", "web", "x", "--pretty").out == "not json\n\n"
    assert (
        roost("qemu-monitor-command", "web", "x", "--return-value").err
        == "error: failed to parse JSON returned by qemu\n"
    )
    daemon.answers["DOMAIN_MONITOR_COMMAND"] = lambda *_: ('{"error":{}}',)
    assert roost("qemu-monitor-command", "web", "x", "--return-value").err == "error: 'return' member missing\n"
    assert "failed to wrap arguments 'y'" in roost("qemu-monitor-command", "web", "x", "y").err


# host


@pytest.mark.parametrize(
    ("numbers", "text"), [([], ""), ([0], "0"), ([0, 1, 2, 5, 7, 8], "0-2,5,7-8"), ([3], "3"), ([1, 3], "1,3")]
)
def test_ranges(numbers: list[int], text: str) -> None:
    from roost.cli.commands.host import format_ranges

    assert format_ranges(numbers) == text


def test_processor_shares_from_a_hypervisor_that_knows_them(roost: Roost, daemon: Answers) -> None:
    daemon.answers["NODE_GET_CPU_STATS"] = lambda cpu, count, flags: ([("utilization", 7)] if count else [], 1)
    assert roost("nodecpustats", "--percent").out == "usage:              7%\nidle:              93%\n\n"


def test_models_may_be_free(roost: Roost, daemon: Answers) -> None:
    daemon.answers["CONNECT_GET_CPU_MODEL_NAMES"] = lambda arch, need, flags: ([], 0)
    assert roost("cpu-models", "s390x").out == "all CPU models are accepted\n\n"


def test_version_of_an_unknown_hypervisor(roost: Roost, daemon: Answers) -> None:
    daemon.answers |= {"CONNECT_GET_TYPE": lambda: ("X",), "CONNECT_GET_VERSION": lambda: (0,)}
    outcome = roost("version", "--daemon")
    assert "Cannot extract running X hypervisor version\n" in outcome.out
    assert outcome.err == "error: failed to get the daemon version\n"
    assert outcome.code == 0


def test_memory_of_cells(roost: Roost, daemon: Answers) -> None:
    daemon.answers |= {
        "CONNECT_GET_CAPABILITIES": lambda: (
            "<capabilities><host><topology><cells><cell id='0'/><cell id='1'/></cells></topology></host>"
            "</capabilities>",
        ),
        "NODE_GET_CELLS_FREE_MEMORY": lambda start, count: ([1024 * (start + 1)],),
    }
    assert roost("freecell", "--all").out == (
        "    0:          1 KiB\n    1:          2 KiB\n--------------------\nTotal:          3 KiB\n\n"
    )
