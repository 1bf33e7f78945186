"""What the agent in a guest is asked or told."""

from __future__ import annotations

from roost.cli.failure import CommandFailed, failing
from roost.cli.shell import read_document
from roost.cli.table import DATA, NUMBER, REST, TEXT, Command, Option, domain_argument, flag
from roost.constants import domain as constants
from roost.constants import node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell

_ULONG_MAX = 2**64 - 1
_SUSPEND_TARGETS = {
    "mem": node.SUSPEND_TARGET_MEM,
    "disk": node.SUSPEND_TARGET_DISK,
    "hybrid": node.SUSPEND_TARGET_HYBRID,
}
_HOSTNAME_SOURCES = {"agent": constants.GET_HOSTNAME_AGENT, "lease": constants.GET_HOSTNAME_LEASE}
_INFORMATION = (
    ("user", constants.GUEST_INFO_USERS, "who is logged in"),
    ("os", constants.GUEST_INFO_OS, "operating system"),
    ("timezone", constants.GUEST_INFO_TIMEZONE, "time zone"),
    ("hostname", constants.GUEST_INFO_HOSTNAME, "host name"),
    ("filesystem", constants.GUEST_INFO_FILESYSTEM, "mounted file systems"),
    ("disk", constants.GUEST_INFO_DISKS, "disks and partitions"),
    ("interface", constants.GUEST_INFO_INTERFACES, "network interfaces and their addresses"),
)


def _qemu_agent_command(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments)
    patience = arguments.number("timeout")
    if patience is not None and patience < 1:
        raise CommandFailed("timeout must be positive")
    if (patience is not None) + arguments.has("async") + arguments.has("block") > 1:
        raise CommandFailed("timeout, async and block options are exclusive")
    if arguments.has("async"):
        patience = constants.AGENT_RESPONSE_TIMEOUT_NOWAIT
    elif arguments.has("block"):
        patience = constants.AGENT_RESPONSE_TIMEOUT_BLOCK
    elif patience is None:
        patience = constants.AGENT_RESPONSE_TIMEOUT_DEFAULT
    answer = shell.client.call_qemu("DOMAIN_AGENT_COMMAND", domain, " ".join(arguments.rest()), patience, 0)[0]
    if arguments.has("pretty"):
        import json

        answer = json.dumps(json.loads(answer), indent=2, ensure_ascii=False)
    shell.write(f"{answer}\n")


def _guest_agent_timeout(shell: Shell, arguments: Arguments) -> None:
    seconds = arguments.number("timeout")
    if seconds is None:
        seconds = constants.AGENT_RESPONSE_TIMEOUT_BLOCK
    shell.client.call("DOMAIN_AGENT_SET_RESPONSE_TIMEOUT", shell.domain(arguments), seconds, 0)


def _domfsfreeze(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments)
    with failing("Unable to freeze filesystems"):
        count = shell.client.call("DOMAIN_FSFREEZE", domain, arguments.rest(), 0)[0]
    shell.extra(f"Froze {count} filesystem(s)\n")


def _domfsthaw(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments)
    with failing("Unable to thaw filesystems"):
        count = shell.client.call("DOMAIN_FSTHAW", domain, arguments.rest(), 0)[0]
    shell.extra(f"Thawed {count} filesystem(s)\n")


def _domfstrim(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments)
    minimum = arguments.number("minimum", 0, _ULONG_MAX) or 0
    with failing("Unable to invoke fstrim"):
        shell.client.call("DOMAIN_FSTRIM", domain, arguments.text("mountpoint"), minimum, 0)


def _domfsinfo(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments)
    with failing("Unable to get filesystem information"):
        found = shell.client.call("DOMAIN_GET_FSINFO", domain, 0)[0]
    if not found:
        shell.extra("No filesystems are mounted in the domain")
        return
    rows = [[mountpoint, name, kind, ",".join(devices)] for mountpoint, name, kind, devices in found]
    shell.table(["Mountpoint", "Name", "Type", "Target"], rows)


def _domhostname(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments)
    source = arguments.text("source")
    if source is not None and source not in _HOSTNAME_SOURCES:
        raise CommandFailed(f"Unknown data source '{source}'")
    flags = _HOSTNAME_SOURCES[source] if source is not None else 0
    with failing("failed to get hostname"):
        shell.write(f"{shell.client.call('DOMAIN_GET_HOSTNAME', domain, flags)[0]}\n")


def _guestinfo(shell: Shell, arguments: Arguments) -> None:
    from roost.cli.params import show

    types = arguments.flags(_INFORMATION)
    for param in shell.client.call("DOMAIN_GET_GUEST_INFO", shell.domain(arguments), types, 0)[0]:
        shell.write(f"{param.field:<20}: {show(param)}\n")


def _set_user_password(shell: Shell, arguments: Arguments) -> None:
    flags = constants.PASSWORD_ENCRYPTED * arguments.has("encrypted")
    name, user = arguments.required("domain"), arguments.required("user")
    domain = shell.domain(arguments)
    shell.client.call("DOMAIN_SET_USER_PASSWORD", domain, user, arguments.required("password"), flags)
    shell.extra(f"Password set successfully for {user} in {name}")


def _get_user_sshkeys(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments)
    keys = shell.client.call("DOMAIN_AUTHORIZED_SSH_KEYS_GET", domain, arguments.required("user"), 0)[0]
    shell.write("".join(keys))


def _set_user_sshkeys(shell: Shell, arguments: Arguments) -> None:
    path = arguments.text("file")
    if arguments.has("remove") and path is None:
        raise CommandFailed("Option --file is required by option --remove")
    arguments.exclude(("reset", "remove"))
    domain = shell.domain(arguments)
    flags = 0
    if arguments.has("remove"):
        flags = constants.AUTHORIZED_SSH_KEYS_SET_REMOVE
    elif not arguments.has("reset"):
        flags = constants.AUTHORIZED_SSH_KEYS_SET_APPEND
        if path is None:
            raise CommandFailed("Option --file is required")
    keys = read_document(path).split("\n") if path is not None else []
    shell.client.call("DOMAIN_AUTHORIZED_SSH_KEYS_SET", domain, arguments.required("user"), keys, flags)


def _guestvcpus(shell: Shell, arguments: Arguments) -> None:
    from roost.cli.params import show

    arguments.exclude(("enable", "disable"))
    cpus = arguments.text("cpulist")
    for option in ("enable", "disable"):
        if arguments.has(option) and cpus is None:
            raise CommandFailed(f"Option --cpulist is required by option --{option}")
    enable = arguments.has("enable")
    if cpus is not None and not enable and not arguments.has("disable"):
        raise CommandFailed("One of options --enable or --disable is required by option --cpulist")
    domain = shell.domain(arguments)
    if cpus is not None:
        shell.client.call("DOMAIN_SET_GUEST_VCPUS", domain, cpus, int(enable), 0)
        return
    for param in shell.client.call("DOMAIN_GET_GUEST_VCPUS", domain, 0)[0]:
        shell.write(f"{param.field:<15}: {show(param)}\n")


def _dompmsuspend(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments)
    duration = arguments.number("duration", 0, _ULONG_MAX) or 0
    target = _SUSPEND_TARGETS.get(arguments.required("target"))
    if target is None:
        raise CommandFailed("Invalid target")
    with failing(f"Domain '{domain.name}' could not be suspended"):
        shell.client.call("DOMAIN_PM_SUSPEND_FOR_DURATION", domain, target, duration, 0)
    shell.extra(f"Domain '{domain.name}' successfully suspended")


def _dompmwakeup(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments)
    with failing(f"Domain '{domain.name}' could not be woken up"):
        shell.client.call("DOMAIN_PM_WAKEUP", domain, 0)
    shell.extra(f"Domain '{domain.name}' successfully woken up")


_USER = Option("user", DATA, "the user, in the guest", required=True)
_MOUNTPOINTS = Option("mountpoint", REST, "where the file systems are mounted; all without")

COMMANDS = (
    Command(
        "qemu-agent-command",
        _qemu_agent_command,
        "send a command to the agent in a guest",
        'In JSON: {"execute": "guest-ping"}. Without options, five seconds are waited for the answer.',
        domain_argument("running_domains"),
        Option("timeout", NUMBER, "seconds to wait", named_only=True),
        flag("async", "do not wait, which gives no answer"),
        flag("block", "wait for ever"),
        flag("pretty", "print the answer over several lines"),
        Option("cmd", REST, "the command", required=True),
    ),
    Command(
        "guest-agent-timeout",
        _guest_agent_timeout,
        "how long calls wait for the agent in a guest",
        "Without --timeout, as long as it takes, which is the default.",
        domain_argument("running_domains"),
        Option("timeout", NUMBER, "seconds; -2 for ever, -1 for five seconds, 0 not at all", named_only=True),
    ),
    Command(
        "domfsfreeze",
        _domfsfreeze,
        "freeze the file systems of a guest",
        "They are consistent on disk and take no changes until domfsthaw.",
        domain_argument("running_domains"),
        _MOUNTPOINTS,
    ),
    Command(
        "domfsthaw",
        _domfsthaw,
        "thaw the file systems of a guest",
        "",
        domain_argument("running_domains"),
        _MOUNTPOINTS,
    ),
    Command(
        "domfstrim",
        _domfstrim,
        "discard what the file systems of a guest do not use",
        "",
        domain_argument("running_domains"),
        Option("minimum", NUMBER, "bytes of a free range that is worth it"),
        Option("mountpoint", TEXT, "of the one file system that is meant"),
    ),
    Command(
        "domfsinfo",
        _domfsinfo,
        "the mounted file systems of a guest",
        "And the disks of the domain that they are on.",
        domain_argument("running_domains"),
    ),
    Command(
        "domhostname",
        _domhostname,
        "the host name of a guest",
        "",
        domain_argument("running_domains"),
        Option("source", TEXT, "who is asked: agent, lease", completes="hostname_sources"),
    ),
    Command(
        "guestinfo",
        _guestinfo,
        "what the agent tells of a guest",
        "All that it can tell, unless options choose.",
        domain_argument("running_domains"),
        *(flag(name, text) for name, _, text in _INFORMATION),
    ),
    Command(
        "set-user-password",
        _set_user_password,
        "set the password of a user in a guest",
        "",
        domain_argument("running_domains"),
        _USER,
        Option("password", DATA, "the new password", required=True),
        flag("encrypted", "it is encrypted already"),
    ),
    Command(
        "get-user-sshkeys",
        _get_user_sshkeys,
        "the SSH keys that let in as a user of a guest",
        "",
        domain_argument("running_domains"),
        _USER,
    ),
    Command(
        "set-user-sshkeys",
        _set_user_sshkeys,
        "change the SSH keys that let in as a user of a guest",
        "Those of the file are added, unless options say otherwise.",
        domain_argument("running_domains"),
        _USER,
        Option("file", TEXT, "keys, one a line", completes="files"),
        flag("reset", "remove all others"),
        flag("remove", "remove these"),
    ),
    Command(
        "guestvcpus",
        _guestvcpus,
        "the virtual processors that a guest uses",
        "With --cpulist, changes which.",
        domain_argument("running_domains"),
        Option("cpulist", TEXT, "processors such as 1-3,5"),
        flag("enable", "use those of the list"),
        flag("disable", "do not"),
    ),
    Command(
        "dompmsuspend",
        _dompmsuspend,
        "have a guest suspend itself",
        "By its own power management, which needs the agent in it.",
        domain_argument("running_domains"),
        Option("target", DATA, "mem, disk or hybrid", required=True, completes="suspend_targets"),
        Option("duration", NUMBER, "seconds until it is to wake up", named_only=True),
    ),
    Command("dompmwakeup", _dompmwakeup, "wake up a suspended guest", "", domain_argument("active_domains")),
)
