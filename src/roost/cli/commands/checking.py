"""Commands that look at documents without a daemon: whether they are right, and what may stand in them."""

from __future__ import annotations

from roost.cli.failure import CommandFailed
from roost.cli.shell import read_document
from roost.cli.table import REST, TEXT, Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell


def _validate(shell: Shell, arguments: Arguments) -> None:
    # The model takes longer to load than most commands to run.
    from roost.errors import RoostError
    from roost.model.documents import check, document_type

    schema = arguments.text("type")
    document = None if schema is None else document_type(schema)
    paths = arguments.rest()
    if not paths:
        raise CommandFailed("command 'validate' requires <file> option")
    bad = 0
    for path in paths:
        try:
            problems = check(read_document(path), name=path, document=document)
        except CommandFailed as failure:
            problems, lines = [], list(failure.lines)
        except RoostError as error:
            # The text of an error about what is no XML begins with the file and the line.
            lines = [error.detail.rstrip() if error.detail.startswith(f"{path}:") else f"{path}: {error.message}"]
            problems = []
        else:
            lines = [
                f"{path}:{problem.line}: {problem.path}: {problem.what}"
                + (f"; would be right: {problem.right}" if problem.right else "")
                for problem in problems
            ]
        if lines:
            bad += 1
            shell.write("".join(f"{line}\n" for line in lines))
        else:
            shell.extra(f"{path} validates\n")
    if bad:
        raise CommandFailed(f"{bad} of {len(paths)} documents not valid" if len(paths) > 1 else "document not valid")


def _schema(shell: Shell, arguments: Arguments) -> None:
    from roost.model.documents import DOCUMENTS, document_type, schema_of

    schema = arguments.text("type")
    if schema is None:
        for document in DOCUMENTS:
            shell.write(f"{document.schema:<20} <{document.tag}>\n")
        return
    import json

    shell.write(json.dumps(schema_of(document_type(schema)), indent=2) + "\n")


COMMANDS = (
    Command(
        "schema",
        _schema,
        "the JSON Schema of a type of document",
        "Prints it, or without a type the names of all types. It holds for what --json prints and what define takes.",
        Option("type", TEXT, "the type: domain, network, storagepool, ..."),
        connects=False,
    ),
    Command(
        "validate",
        _validate,
        "check documents of any type",
        "Prints FILE:LINE: PATH: what is wrong, and what would be right, for each unknown name and each wrong value;"
        " fails when there is any. The root element tells the type. Needs no daemon.",
        Option("type", TEXT, "the type of the documents, needed for JSON", named_only=True),
        Option("file", REST, "files with documents, XML or JSON", completes="files"),
        connects=False,
    ),
)
