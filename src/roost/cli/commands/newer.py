"""Commands that virsh has since 10.2: throttle groups, certificates of displays, announcements of interfaces."""

from __future__ import annotations

from roost.cli.commands.throttling import THROTTLES, throttles
from roost.cli.failure import CommandFailed, failing
from roost.cli.table import DATA, NUMBER, TEXT, Command, Option, config_live_current, domain_argument
from roost.cli.tunable import affected, line
from roost.cli.xmltree import parse
from roost.constants import announcing, displays
from roost.constants import domain as constants
from roost.constants import typed_params as kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell
    from roost.cli.xmltree import Element

_UINT_MAX = 2**32 - 1
_GROUP = Option("group-name", DATA, "name of the group", required=True)


def _set(shell: Shell, arguments: Arguments) -> None:
    flags = affected(arguments)
    domain = shell.domain(arguments)
    group, params = arguments.required("group-name"), throttles(arguments)
    with failing("Unable to change throttle group"):
        shell.client.call("DOMAIN_SET_THROTTLE_GROUP", domain, group, params, flags)


def _delete(shell: Shell, arguments: Arguments) -> None:
    flags = affected(arguments)
    domain = shell.domain(arguments)
    with failing("Unable to delete throttle group"):
        shell.client.call("DOMAIN_DEL_THROTTLE_GROUP", domain, arguments.required("group-name"), flags)


def _groups(shell: Shell, arguments: Arguments) -> list[Element]:
    flags = constants.XML_INACTIVE * arguments.has("config") if affected(arguments) else 0
    return list(parse(shell.xml(shell.domain(arguments), flags)).all("throttlegroups/throttlegroup"))


def _info(shell: Shell, arguments: Arguments) -> None:
    name = arguments.required("group-name")
    for group in _groups(shell, arguments):
        if group.value("group_name") == name:
            for field in group.children:
                if not isinstance(field, str):
                    line(shell, field.name, field.text)
            return
    raise CommandFailed(f"No throttle group with the name {name}")


def _list(shell: Shell, arguments: Arguments) -> None:
    for group in _groups(shell, arguments):
        shell.write(group.value("group_name") + "\n")


_DISPLAYS = {"vnc": displays.RELOAD_TYPE_VNC}


def _reload(shell: Shell, arguments: Arguments) -> None:
    kind = arguments.text("type")
    domain = shell.domain(arguments)
    if kind is not None and kind not in _DISPLAYS:
        raise CommandFailed(f"Unknown display type '{kind}'")
    with failing("Failed to reload the graphics display"):
        number = _DISPLAYS[kind] if kind is not None else displays.RELOAD_TYPE_ANY
        shell.client.call("DOMAIN_GRAPHICS_RELOAD", domain, number, 0)


_PAUSES = (announcing.INITIAL, announcing.MAX, announcing.ROUNDS, announcing.STEP)


def _announce(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments)
    params = [
        (name, (kinds.UINT, value)) for name in _PAUSES if (value := arguments.number(name, 0, _UINT_MAX)) is not None
    ]
    with failing("Failed to announce the interface"):
        shell.client.call("DOMAIN_ANNOUNCE_INTERFACE", domain, arguments.text("interface"), params, 0)


COMMANDS = (
    Command(
        "domthrottlegroupset",
        _set,
        "make or change a throttle group",
        "Disks share the limits of a group by naming it in their <throttlefilters>. A total cannot be given beside\n"
        "reads and writes.",
        domain_argument(),
        _GROUP,
        *(option for option in THROTTLES if option.name not in ("group-name", "group_name")),
        *config_live_current(),
    ),
    Command(
        "domthrottlegroupdel",
        _delete,
        "delete a throttle group",
        "One that no disk uses.",
        domain_argument(),
        _GROUP,
        *config_live_current(),
    ),
    Command(
        "domthrottlegroupinfo",
        _info,
        "the limits of a throttle group",
        "Those that it has.",
        domain_argument(),
        _GROUP,
        *config_live_current(),
    ),
    Command(
        "domthrottlegrouplist",
        _list,
        "the throttle groups of a domain",
        "Their names.",
        domain_argument(),
        *config_live_current(),
    ),
    Command(
        "domdisplay-reload",
        _reload,
        "have a display read its certificates anew",
        "Clients that are connected stay.",
        domain_argument("active_domains"),
        Option("type", TEXT, "vnc"),
    ),
    Command(
        "domifannounce",
        _announce,
        "have interfaces tell the network where they are",
        "One interface, or all. So switches send to this host what is theirs.",
        domain_argument("active_domains"),
        Option("interface", TEXT, "its name on the host or MAC address", completes="interfaces"),
        Option("initial", NUMBER, "milliseconds before the first repetition"),
        Option("max", NUMBER, "milliseconds between two at most"),
        Option("rounds", NUMBER, "how often"),
        Option("step", NUMBER, "milliseconds by which the pauses get longer"),
    ),
)
