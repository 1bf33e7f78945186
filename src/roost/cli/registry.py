"""Which module declares which command, so that only that module is loaded.

Groups, their order and their keywords are virsh's.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.table import Command


class Group:
    """Commands that help lists together. modules: module name to the commands it declares."""

    __slots__ = ("keyword", "modules", "title")

    def __init__(self, title: str, keyword: str, modules: dict[str, str]) -> None:
        self.title = title
        self.keyword = keyword
        self.modules = {module: names.split() for module, names in modules.items()}

    def names(self) -> list[str]:
        """All commands of the group, sorted."""
        return sorted(name for names in self.modules.values() for name in names)


GROUPS = (
    Group(
        "Domain Management",
        "domain",
        {
            "lifecycle": "autostart create define destroy reboot reset resume set-lifecycle-action shutdown start"
            " suspend undefine",
            "identity": "domid domname domrename domuuid",
            "documents": "desc dumpxml edit metadata",
            "consoles": "console domdisplay ttyconsole vncdisplay",
            "pinning": "emulatorpin iothreadinfo iothreadpin vcpuinfo vcpupin",
            "memory": "memtune numatune setmaxmem setmem",
            "throttling": "blkdeviotune blkiotune domiftune",
            "newer": "domdisplay-reload domifannounce domthrottlegroupdel domthrottlegroupinfo domthrottlegrouplist"
            " domthrottlegroupset",
            "tuning": "cpu-stats perf schedinfo",
            "vcpus": "iothreadadd iothreaddel iothreadset setvcpu setvcpus vcpucount",
            "hotplug": "attach-device change-media detach-device detach-device-alias domif-setlink update-device"
            " update-memory-device",
            "attaching": "attach-disk attach-interface detach-disk detach-interface",
            "qemu": "qemu-monitor-command qemu-monitor-event",
            "input": "inject-nmi send-key send-process-signal",
            "security": "domlaunchsecinfo domsetlaunchsecstate",
            "agent": "domfsfreeze domfsinfo domfsthaw domfstrim domhostname dompmsuspend dompmwakeup get-user-sshkeys"
            " guest-agent-timeout guestinfo guestvcpus qemu-agent-command set-user-password set-user-sshkeys",
            "native": "domxml-from-native domxml-to-native",
            "blocks": "blockcommit blockcopy blockjob blockpull blockresize domblkthreshold",
            "state": "dump managedsave managedsave-define managedsave-dumpxml managedsave-edit managedsave-remove"
            " restore save save-image-define save-image-dumpxml save-image-edit",
            "jobs": "domjobabort domjobinfo",
            "migration": "migrate-compcache migrate-getmaxdowntime migrate-getspeed migrate-postcopy"
            " migrate-setmaxdowntime migrate-setspeed",
            "looking": "domdirtyrate-calc screenshot",
        },
    ),
    Group(
        "Domain Monitoring",
        "monitor",
        {
            "listing": "list",
            "guests": "domifaddr domtime",
            "monitoring": "domcontrol dominfo domstate dommemstat domstats",
            "devices": "domblklist domblkstat domif-getlink domiflist domifstat",
            "disks": "domblkerror domblkinfo",
        },
    ),
    Group("Domain Events", "events", {"events": "event"}),
    Group(
        "Host and Hypervisor",
        "host",
        {
            "processors": "cpu-baseline cpu-compare cpu-models hypervisor-cpu-baseline hypervisor-cpu-compare",
            "host": "capabilities domcapabilities freecell hostname maxvcpus nodecpumap nodecpustats"
            " nodeinfo nodememstats sysinfo uri version",
        },
    ),
    Group(
        "Checkpoint",
        "checkpoint",
        {
            "checkpoints": "checkpoint-create checkpoint-create-as checkpoint-delete checkpoint-dumpxml checkpoint-edit"
            " checkpoint-info checkpoint-list checkpoint-parent",
        },
    ),
    Group(
        "Snapshot",
        "snapshot",
        {
            "snapshots": "snapshot-create snapshot-create-as snapshot-current snapshot-delete snapshot-dumpxml"
            " snapshot-edit snapshot-info snapshot-list snapshot-parent snapshot-revert",
        },
    ),
    Group("Backup", "backup", {"backups": "backup-begin backup-dumpxml"}),
    Group(
        "Roost itself",
        "roost",
        {
            "shell": "cd connect echo exit help pwd quit",
            "completion": "complete completion",
            "checking": "schema validate",
            "guests_stop": "guests-stop",
        },
    ),
)


def find(name: str) -> Command | None:
    """The command called `name`; loads the module that declares it."""
    for group in GROUPS:
        for module, names in group.modules.items():
            if name in names:
                return _load(module)[name]
    return None


def find_group(name: str) -> Group | None:
    """The group with that title or keyword."""
    for group in GROUPS:
        if name in (group.title, group.keyword):
            return group
    return None


def commands(group: Group) -> list[Command]:
    """The commands of a group that help lists, sorted by name."""
    loaded = {name: command for module in group.modules for name, command in _load(module).items()}
    return [loaded[name] for name in group.names() if not loaded[name].hidden]


def _load(module: str) -> dict[str, Command]:
    # importlib would take longer to import than the module does.
    declared: tuple[Command, ...] = __import__(f"roost.cli.commands.{module}", fromlist=["COMMANDS"]).COMMANDS
    return {command.name: command for command in declared}
