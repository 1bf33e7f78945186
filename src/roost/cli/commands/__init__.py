"""One module for each family of commands; each declares COMMANDS, a tuple of records.

`roost.cli.registry` says which module has which command. A handler takes the
shell and the arguments and either returns or raises: CommandFailed with lines
of its own, or the RoostError of a call, which is printed as it is.
"""
