"""Keys, interrupts and signals for a domain."""

from __future__ import annotations

from roost.cli.failure import CommandFailed
from roost.cli.parser import parse_integer
from roost.cli.table import DATA, NUMBER, REST, TEXT, Command, Option, domain_argument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell

_MAX_KEYS = 16
_MAX_CODE = 0xFFFF
_UINT_MAX = 2**32 - 1

#: Names of signals by their public numbers; those of real time are rt0 to rt32 behind them.
_SIGNALS = (
    "nop", "hup", "int", "quit", "ill", "trap", "abrt", "bus", "fpe", "kill", "usr1", "segv", "usr2", "pipe", "alrm",
    "term", "stkflt", "chld", "cont", "stop", "tstp", "ttin", "ttou", "urg", "xcpu", "xfsz", "vtalrm", "prof", "winch",
    "poll", "pwr", "sys", *(f"rt{number}" for number in range(33)),
)  # fmt: skip


def _send_key(shell: Shell, arguments: Arguments) -> None:
    from roost.constants import keys

    domain = shell.domain(arguments)
    name = arguments.text("codeset") or "linux"
    hold = arguments.number("holdtime", 0, _UINT_MAX) or 0
    wanted = "qnum" if name == "rfb" else name
    if wanted not in keys.CODESETS:
        raise CommandFailed(f"unknown codeset: '{name}'")
    codeset = keys.CODESETS.index(wanted)
    names = keys.names(codeset)
    codes: list[int] = []
    for word in arguments.rest():
        if len(codes) == _MAX_KEYS:
            raise CommandFailed("too many keycodes")
        code = parse_integer(word, 0)
        if code is None or not 0 <= code <= _MAX_CODE:
            code = names.get(word)
        if code is None:
            raise CommandFailed(f"invalid keycode: '{word}'")
        codes.append(code)
    shell.client.call("DOMAIN_SEND_KEY", domain, codeset, hold, codes, 0)


def _inject_nmi(shell: Shell, arguments: Arguments) -> None:
    shell.client.call("DOMAIN_INJECT_NMI", shell.domain(arguments), 0)


def _send_process_signal(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments)
    pid = arguments.number("pid", -(2**63), 2**63 - 1)
    name = arguments.required("signame")
    signal = parse_integer(name)
    if signal is None:
        word = name.lower()
        bare = word.removeprefix("sig_") if word.startswith("sig_") else word.removeprefix("sig")
        signal = _SIGNALS.index(bare) if bare in _SIGNALS else -1
    if signal < 0:
        raise CommandFailed(f"malformed signal name: {name}")
    shell.client.call("DOMAIN_SEND_PROCESS_SIGNAL", domain, pid, signal, 0)


COMMANDS = (
    Command(
        "inject-nmi",
        _inject_nmi,
        "send a guest an interrupt that it cannot mask",
        "",
        domain_argument("active_domains"),
    ),
    Command(
        "send-key",
        _send_key,
        "press keys of a guest's keyboard",
        "All at once. Keys are numbers of the code set, or names as KEY_LEFTCTRL, VK_DELETE and UpArrow\n"
        "in the sets linux, win32 and os_x.",
        domain_argument("active_domains"),
        Option("codeset", TEXT, "which set the keys are from: linux unless given", named_only=True),
        Option("holdtime", NUMBER, "milliseconds until they are let go", named_only=True),
        Option("keycode", REST, "the keys", required=True),
    ),
    Command(
        "send-process-signal",
        _send_process_signal,
        "send a signal to a process of a guest",
        "The signal by number or name.",
        domain_argument("active_domains"),
        Option("pid", DATA, "number of the process", required=True),
        Option("signame", DATA, "the signal", required=True),
    ),
)
