"""The command line: `roost`, with virsh's commands, formats and exit codes.

`table` holds the records commands are declared with, `registry` says which
module declares which command, `parser` turns words into checked commands,
`shell` runs them, `commands/` has one module for each family of commands.
May import client (which brings wire and protocol), errors, constants and model.

A single command must be over in milliseconds: only the module of the command
that runs is imported, and what not every command needs (readline, termios,
XML, JSON) is imported lazily, inside functions. No asyncio, msgspec, argparse,
typing, collections or re at run time.
"""

from roost.cli.app import main

__all__ = ["main"]
