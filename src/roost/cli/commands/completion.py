"""Shell completion: the scripts for the shells, and the command they ask."""

from __future__ import annotations

from roost.cli.completers import candidates
from roost.cli.failure import CommandFailed
from roost.cli.table import DATA, REST, Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell

_SCRIPTS = {
    "bash": """\
# bash completion for roost: source <(roost completion bash)
_roost() {
    local IFS=$'\\n'
    COMPREPLY=($(roost complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null </dev/null))
    [[ ${#COMPREPLY[@]} -eq 0 ]] && compopt -o default 2>/dev/null
}
complete -F _roost roost
""",
    "zsh": """\
#compdef roost
# zsh completion for roost: source <(roost completion zsh)
_roost() {
    local -a found
    found=(${(f)"$(roost complete -- "${(@)words[2,CURRENT]}" 2>/dev/null </dev/null)"})
    if (( ${#found} )); then compadd -Q -a found; else _files; fi
}
compdef _roost roost
""",
    "fish": """\
# fish completion for roost: roost completion fish | source
function __roost_complete
    set -l words (commandline -opc)[2..-1] (commandline -ct)
    roost complete -- $words 2>/dev/null </dev/null
end
complete -c roost -a '(__roost_complete)'
""",
}


def _completion(shell: Shell, arguments: Arguments) -> None:
    name = arguments.required("shell")
    if name not in _SCRIPTS:
        raise CommandFailed(f"no completion for '{name}': choose one of {', '.join(_SCRIPTS)}")
    shell.write(_SCRIPTS[name])


def _complete(shell: Shell, arguments: Arguments) -> None:
    shell.quiet = True
    shell.write("".join(f"{word}\n" for word in candidates(shell, arguments.rest())))


COMMANDS = (
    Command(
        "complete",
        _complete,
        "what a command line could go on with",
        "For the scripts that `completion` prints.",
        Option("string", REST, "the words typed so far", empty_ok=True),
        connects=False,
        hidden=True,
    ),
    Command(
        "completion",
        _completion,
        "print a script that completes roost's commands in a shell",
        "For bash: source <(roost completion bash)",
        Option("shell", DATA, "bash, zsh or fish", required=True, completes="shells"),
        connects=False,
    ),
)
