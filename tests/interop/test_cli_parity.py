"""roost beside virsh, against the same daemon: output, errors and exit codes."""

from __future__ import annotations

import contextlib
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.cli import registry
from support.console import Console, ConsoleError
from support.daemon import RoostDaemon
from support.guests import domain_xml, guest_images
from support.peer import Peer
from support.programs import Both, Outcome, Program, in_test_driver, lines

pytestmark = [pytest.mark.peer, pytest.mark.root]


#: Words for the `test:///default` driver, whose one domain is called "test". None changes anything.
CASES = """
list
list --all
list --inactive
list --all --name
list --all --uuid
list --id
list --all --id --name --uuid
list --title --all
list --managed-save --all
list --state-running
list --state-paused --all
list --state-shutoff
list --state-other
list --transient
list --persistent
list --with-snapshot
list --without-snapshot
list --autostart
list --no-autostart
list --with-managed-save
list --with-checkpoint
list --without-checkpoint
list --table --id
list --table
list extra
list --name=3
list --help=3
domstate test
domstate test --reason
domstate 1
domstate 6695eb01-f6a4-8304-79aa-97f2502e193f
domstate nosuch
domstate 4711
domstate 00000000-0000-0000-0000-000000000000
domstate
domstate ''
domstate --domain
domstate --domain=test
domstate test test
domstate -- test
domstate -- --help
domstate test --reason --reason
domid test
domid 1
domname 1
domname test
domuuid test
domuuid 6695eb01-f6a4-8304-79aa-97f2502e193f
dumpxml test
dumpxml test --inactive
dumpxml --security-info test
dumpxml test --migratable
dumpxml test --update-cpu
dumpxml nosuch
dommemstat test
dommemstat test --current --live
domstats
domstats test
domstats --state test
domstats --vcpu --list-active --raw
domstats --list-inactive
domstats nosuch
domblklist test
domblklist test --details
domblklist test --inactive
domiflist test
domiflist test --inactive
domblkstat test
domblkstat test nosuch
domifstat test nosuch
domcontrol test
vcpucount test
vcpucount test --maximum --live
vcpucount test --active --config
vcpucount test --current
vcpucount test --maximum --current
vcpucount test --guest
vcpucount test --live --config
vcpucount test --guest --config
uri
hostname
nodeinfo
nodecpustats
nodecpustats --cpu 0
nodecpustats --cpu x
nodecpustats --cpu=-3
nodememstats
nodememstats --cell 99
nodecpumap
nodecpumap --pretty
freecell
freecell 0
freecell --cellno 9
freecell --all
freecell --all --cellno 1
capabilities
domcapabilities
domcapabilities --virttype ''
maxvcpus
maxvcpus test
maxvcpus --type nosuch
sysinfo
cpu-models x86_64
cpu-models nosucharch
cpu-compare /proc/nonexistent
cpu-compare /etc/hostname
cpu-compare
cpu-baseline /proc/nonexistent
hypervisor-cpu-compare /proc/nonexistent
hypervisor-cpu-baseline
hypervisor-cpu-baseline --model Penryn
hypervisor-cpu-baseline --model Penryn --file /etc/hostname
ttyconsole test
vncdisplay test
domdisplay test
domdisplay test --all --type vnc
desc test
desc test --title
desc test --config --current
metadata test http://x
metadata test
metadata test http://x --set '<a/>'
metadata test http://x --edit --set x
metadata test http://x --remove --edit
qemu-monitor-command test info
qemu-monitor-command test --hmp --pretty info
qemu-monitor-command test
event --list
event --list --all
event --all --timeout 1
event
event --event nosuch
event nosuch --all --timeout 1
event --timeout 0 --all
event --timeout x --all
event --timeout
start test
start nosuch
start 1
start test --pass-fds x
create /proc/nonexistent
create /tmp
create
define /etc/hostname
resume test
shutdown test --mode foo
reboot test --mode foo
reboot test --mode acpi,bar
reset test
undefine nosuch
undefine test --wipe-storage
undefine test --nvram --keep-nvram
undefine test --tpm --keep-tpm
undefine test --delete-snapshots
undefine test --storage vda
undefine test --storage vda --remove-all-storage
domrename test ''
console nosuch
help nosuch
echo a b
echo --xml '<>'
echo --shell "a'b" 'c d' e
echo --split a,b,,c
echo --err foo
echo --hi
echo --hi=3
echo --str x y
echo ''
echo
cd /
pwd x
foo
'domstate test; domid test'
'domstate test; foo'
'domstate nosuch; domid test'
'domid test; domstate nosuch'
'domstate test;;#x; domid test'
'echo "'
"echo 'a"
'echo \\'
'echo "a b" c\\ d'
'#x'
' '
''
list ';' list
connect
connect --readonly
quit
exit
"""

#: Options of the program itself, in front of or instead of a command.
PROGRAM_CASES = """
-q list
-q list --all --title
-q domstate test
-q freecell --all
-q start test
-x
--foo
-c
--connect
-d 5 uri
-d x uri
--debug x uri
-e ab uri
-k x uri
-k -1 uri
-K x uri
-l /proc/nonexistent/x uri
-r list
-r suspend test
-r autostart test
--read uri
--ke 3 uri
--keepalive-interval 5 --keepalive-count 3 uri
--quiet=3 uri
"""

#: Parts of a document, which need lxml.
XPATH_CASES = """
dumpxml test --xpath //vcpu
dumpxml test --xpath //vcpu --wrap
dumpxml test --xpath //vcpu/text()
dumpxml test --xpath //vcpu/text() --wrap
dumpxml test --xpath //@type
dumpxml test --xpath //@type --wrap
dumpxml test --xpath '//clock|//vcpu|//devices'
dumpxml test --xpath '//clock|//vcpu|//devices' --wrap
dumpxml test --xpath //nosuch
dumpxml test --xpath //nosuch --wrap
dumpxml test --xpath /domain
dumpxml nosuch --xpath /domain
inject-nmi test
inject-nmi nosuch
send-key test KEY_A
send-key test --codeset nosuch KEY_A
send-key test KEY_NOSUCH
send-key test --codeset win32 KEY_A
send-key test --codeset usb VK_A
send-key test --codeset linux --holdtime x KEY_A
send-key test 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17
send-key test 0x10000
send-process-signal test 1 term
send-process-signal test 1 sig_kill
send-process-signal test x term
send-process-signal test 1 nosuch
set-lifecycle-action test nosuch destroy
set-lifecycle-action test crash nosuch
set-lifecycle-action test crash destroy --live --current
set-lifecycle-action test crash destroy
domlaunchsecinfo test
domsetlaunchsecstate test --secrethdr /nosuch --secret /nosuch
qemu-monitor-event test --timeout 1
domstats --vm --iothread --dirtyrate --perf --memory --raw
domstats --enforce --vm
domstats test --list-inactive
domstats nosuch
"""

#: What virsh does otherwise, and why roost does not do the same.
DIFFERENCES = {
    "version": "the version is roost's own, and the API it speaks",
    "help": "the explanations are roost's own, and the list ends with what it can",
    "dominfo --help": "the explanations are roost's own",
    "console test": "roost attaches to a console without a terminal too",
    "dumpxml test --xpath count(//vcpu)": "the reason is told, or that lxml is missing",
    "dumpxml test --xpath foo(": "a wrong expression is an error",
    "qemu-monitor-command test x y": "the reason is given in the words of another JSON parser",
}

#: Numbers in the output that count time or use.
MOVING = (
    "dominfo test",
    "domblkstat test vda",
    "domblkstat test vda --human",
    "domifstat test testnet0",
)


@pytest.mark.parametrize("words", lines(CASES))
def test_the_same(peer: Peer, both: Both, words: str) -> None:
    pair = both("-c", in_test_driver(peer), *shlex.split(words))
    assert pair.roost == pair.virsh


@pytest.mark.parametrize("words", lines(PROGRAM_CASES))
def test_the_programs_options(peer: Peer, both: Both, words: str) -> None:
    pair = both("-c", in_test_driver(peer), *shlex.split(words))
    assert pair.roost == pair.virsh


@pytest.mark.parametrize("words", lines(XPATH_CASES))
def test_parts_of_documents(peer: Peer, both: Both, words: str) -> None:
    pytest.importorskip("lxml", reason="lxml is not installed")
    pair = both("-c", in_test_driver(peer), *shlex.split(words))
    assert pair.roost == pair.virsh


@pytest.mark.parametrize("words", MOVING)
def test_the_same_but_for_numbers(peer: Peer, both: Both, words: str) -> None:
    virsh, roost = both("-c", in_test_driver(peer), *shlex.split(words))
    still = [re.sub(r"\d+", "0", text) for text in (virsh.out, roost.out)]
    assert still[0] == still[1]
    assert (virsh.code, virsh.err) == (roost.code, roost.err) == (0, "")


@pytest.mark.parametrize("words", DIFFERENCES)
def test_the_differences_are_there(peer: Peer, both: Both, words: str) -> None:
    pair = both("-c", in_test_driver(peer), *shlex.split(words))
    assert pair.virsh != pair.roost, "no longer different: move it to the cases"


@pytest.mark.parametrize(
    "uri",
    [
        "bogus:///x",
        "not a uri",
        "qemu+foo:///system",
        "qemu:///foo",
        "test:///proc/nonexistent-file.xml",
    ],
)
def test_uris_that_cannot_be_opened(peer: Peer, both: Both, uri: str) -> None:
    scheme, _, rest = uri.partition(":///")
    given = f"{scheme}+unix:///{rest}?socket={peer.socket_path}" if rest and "+" not in scheme else uri
    pair = both("-c", given, "uri")
    assert pair.roost.code == pair.virsh.code == 1
    # The cause may be followed by a cure.
    for ours, theirs in zip(pair.roost.err.splitlines(), pair.virsh.err.splitlines(), strict=True):
        assert ours.startswith(theirs)


@pytest.mark.parametrize("path", ["/proc/nonexistent/sock", "nobody"])
def test_sockets_that_do_not_answer(both: Both, tmp_path: Path, path: str) -> None:
    if path == "nobody":
        path = str(tmp_path / "sock")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
    pair = both("-c", f"qemu+unix:///system?socket={path}", "uri")
    ours, theirs = pair.roost.err.splitlines(), pair.virsh.err.splitlines()
    assert ours[0] == theirs[0]
    assert ours[1].startswith(theirs[1] + "; ")


def synopsis(page: str) -> str:
    return page.partition("  SYNOPSIS\n")[2].partition("\n")[0].strip()


#: Options that virsh 9.0 lacks: those of later versions, and those of roost itself.
FURTHER_OPTIONS = {
    "autostart": ("once",),
    "domcapabilities": ("disable-deprecated-features", "expand-cpu-features"),
    "dumpxml": ("json",),
    "hypervisor-cpu-baseline": ("ignore-host",),
    "restore": ("parallel-channels",),
    "save": ("image-format", "parallel-channels"),
}


#: Commands of roost itself, and those that virsh has since later versions.
FURTHER_COMMANDS = {"complete", "completion", "guests-stop", "schema", "validate"} | {
    name for group in registry.GROUPS for name in group.modules.get("newer", ())
}


def virsh_has(name: str) -> bool:
    return name not in FURTHER_COMMANDS


def without_further(page: str, name: str) -> str:
    """A help page without the options that virsh has not got."""
    for option in FURTHER_OPTIONS.get(name, ()):
        page = re.sub(rf" \[--{option}\b[^]]*\]", "", page, count=1)
        page = re.sub(rf"^    \[?--{option}\b.*\n", "", page, flags=re.MULTILINE)
    return page


@pytest.mark.parametrize("name", [name for group in registry.GROUPS for name in group.names() if virsh_has(name)])
def test_every_command_takes_what_virsh_takes(both: Both, name: str) -> None:
    pair = both("help", name)
    pages = pair.virsh.out, without_further(pair.roost.out, name)
    assert synopsis(pages[1]) == synopsis(pages[0])
    options = [re.findall(r"^    (\S*--\S+\]?(?: <\w+>)?|<\S+>)", page, re.MULTILINE) for page in pages]
    assert options[0] == options[1]


def test_interactive_mode(
    peer: Peer,
    programs: tuple[Program, Program],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    typed = "list --name\nfoo\n\ndomstate nosuch\npwd\ncd /tmp\npwd\nconnect\nuri; domid test\n# x\nquit\nlist\n"
    (tmp_path / "input").write_text(typed)
    virsh, roost = programs
    theirs = virsh("-c", in_test_driver(peer), input=typed)
    monkeypatch.chdir(Path.cwd())
    with (tmp_path / "input").open() as file:
        monkeypatch.setattr("sys.stdin", file)
        ours = roost("-c", in_test_driver(peer))
    assert ours.out == theirs.out.replace("virsh", "roost")
    assert (ours.code, ours.err) == (theirs.code, theirs.err)


def play(program: Program, uri: str, scenes: list[str]) -> list[tuple[str, Outcome]]:
    """What happens when the commands are given one after the other."""
    return [(scene, steady(program("-c", uri, *shlex.split(scene)))) for scene in scenes]


def steady(outcome: Outcome) -> Outcome:
    """The outcome without what differs between two runs: addresses, terminals, displays, serials, times."""
    # QEMU's human monitor ends its lines as on a terminal, and pipes read as text change that.
    out = outcome.out.replace("\r\n", "\n")
    out = re.sub(r"libvirt-\d+", "libvirt-N", out)
    out = re.sub(r"52:54:00(:[0-9a-f]{2}){3}", "52:54:00:N", out)
    out = re.sub(r"(CPU time:\s+)[\d.]+s", r"\1Ns", out)
    # Displays get the first number that nobody on the machine uses.
    out = re.sub(r"^(vnc://.*|[\d.]*):\d+$", r"\1:N", out, flags=re.MULTILINE)
    return outcome._replace(out=re.sub(r"/dev/pts/\d+", "/dev/pts/N", out))


LIFE = """
undefine {name}
define {xml}
define {xml} --validate
dominfo {name}
domstate {name} --reason
desc {name}
desc {name} --title
desc {name} new words here
desc {name}
desc {name} --title 'Käse 水 title'
list --all --title
list --inactive --title --managed-save
dumpxml {name} --security-info
domblklist {name}
domblklist {name} --details
domiflist {name}
vcpucount {name}
vcpucount {name} --live --active
send-key {name} KEY_A
inject-nmi {name}
set-lifecycle-action {name} crash restart --live
set-lifecycle-action {name} reboot coredump-destroy
set-lifecycle-action {name} crash destroy
domstats {name} --enforce --vm
domstats {name} --iothread --dirtyrate --perf --memory
dommemstat {name}
domstats {name} --state --balloon --vcpu --block
vncdisplay {name}
domdisplay {name}
ttyconsole {name}
console {name}
suspend {name}
destroy {name}
shutdown {name}
reboot {name}
reset {name}
autostart {name}
list --all --autostart
autostart {name} --disable
metadata {name} http://example.com/x --key x --set '<foo a="1"/>'
metadata {name} http://example.com/x
metadata {name} http://example.com/x --remove
metadata {name} http://example.com/x
qemu-monitor-command {name} query-status
domrename {name} {name}-b
domrename {name}-b {name}
undefine {name} --storage nosuch
undefine {name} --remove-all-storage
create {xml} --paused
list --name
domstate {name} --reason
define {xml}
undefine {name}
resume {name}
domstate {name} --reason
suspend {name}
domstate {name} --reason
vncdisplay {name}
domdisplay {name}
domdisplay {name} --include-password
domdisplay {name} --type spice
ttyconsole {name}
reset {name}
qemu-monitor-command {name} query-status
qemu-monitor-command {name} --pretty '{{"execute":"query-status"}}'
qemu-monitor-command {name} --return-value query-status
qemu-monitor-command {name} --return-value --pretty query-status
qemu-monitor-command {name} --hmp info status
qemu-monitor-command {name} qom-get '"path":"/machine"' '"property":"type"'
qemu-monitor-command {name} nosuch
domcontrol {name}
send-key {name} --codeset usb --holdtime 10 4 5
send-key {name} KEY_A 0x1e
send-key {name} 600
inject-nmi {name}
set-lifecycle-action {name} crash preserve --live
set-lifecycle-action {name} poweroff preserve
set-lifecycle-action {name} crash destroy --config
domlaunchsecinfo {name}
domstats {name} --state --iothread --dirtyrate --vm --perf --memory --raw --nowait
domstats {name} --enforce --iothread
domblkstat {name} nosuch
vcpucount {name}
vcpucount {name} --guest
domiflist {name}
start {name}
create {xml}
domrename {name} other
destroy {name}
destroy {name}
"""


@pytest.fixture
def guest_file(tmp_path: Path) -> tuple[str, Path]:
    images = guest_images()
    tmp_path.chmod(0o755)
    path = tmp_path / "guest.xml"
    devices = "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>"
    graphics = "<graphics type='vnc' port='-1' autoport='yes' passwd='secret' listen='0.0.0.0'/>"
    uuid = "c11c11c1-0000-4000-8000-000000000007"
    path.write_text(domain_xml("cli-parity", uuid_=uuid, images=images, devices=devices, graphics=graphics))
    return "cli-parity", path


def compare_lives(programs: tuple[Program, ...], uri: str, guest_file: tuple[str, Path]) -> None:
    name, path = guest_file
    scenes = [line.format(name=name, xml=path) for line in lines(LIFE)]
    theirs, ours = (play(program, uri, scenes) for program in programs)
    for (scene, expected), (_, found) in zip(theirs, ours, strict=True):
        assert found == expected._replace(out=ids_of(found.out, expected.out)), scene


@pytest.mark.guest
def test_a_guests_life(peer: Peer, programs: tuple[Program, ...], guest_file: tuple[str, Path]) -> None:
    compare_lives(programs, peer.uri, guest_file)


@pytest.mark.guest
def test_a_guests_life_under_roostd(programs: tuple[Program, ...], guest_file: tuple[str, Path]) -> None:
    with RoostDaemon() as daemon:
        compare_lives(programs, daemon.uri, guest_file)


def ids_of(found: str, expected: str) -> str:
    """`expected` with the domain ids of `found`: every start gets a new one."""
    numbers = re.findall(r"^(?:Id: +| )(\d+)\b", found, re.MULTILINE)
    return re.sub(
        r"^(Id: +| )(\d+)\b",
        lambda match: match[1] + numbers.pop(0) if numbers else match[0],
        expected,
        flags=re.MULTILINE,
    )


@pytest.fixture
def listeners(peer: Peer) -> Iterator[list[tuple[subprocess.Popen[bytes], Console]]]:
    """virsh and roost waiting for events."""
    words = ["-c", in_test_driver(peer), "event", "--all", "--loop"]
    with contextlib.ExitStack() as stack:
        found = []
        for command in (["virsh", *words], [sys.executable, "-m", "roost.cli", *words]):
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
            stack.callback(process.kill)
            assert process.stdout is not None
            found.append((process, Console(process.stdout.fileno())))
        yield found


def test_events(
    peer: Peer, listeners: list[tuple[subprocess.Popen[bytes], Console]], programs: tuple[Program, ...]
) -> None:
    def change(*words: str) -> None:
        assert programs[0]("-c", in_test_driver(peer), *words).code == 0

    for _, console in listeners:
        # Only an event that comes shows that it listens.
        while not console.text:
            change("desc", "test", "x")
            with contextlib.suppress(ConsoleError):
                console.wait_for("metadata-change", 0.5)
    change("suspend", "test")
    change("resume", "test")
    change("destroy", "test")
    change("start", "test")
    change("metadata", "test", "http://last", "--key", "k", "--set", "<a/>")
    said = []
    for process, console in listeners:
        console.wait_for("http://last")
        process.send_signal(signal.SIGINT)
        console.wait_for("events received: ")
        assert process.wait(30) == 0
        events, _, rest = console.text.partition("event loop interrupted\n")
        assert rest.startswith("events received: ")
        said.append(events[events.index("event 'lifecycle'") :])
    assert said[0] == said[1]
    assert "event 'lifecycle' for domain 'test': Stopped Destroyed\n" in said[0]
