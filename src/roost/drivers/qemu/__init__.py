"""Guests as QEMU processes.

`capabilities` asks a binary what it can do, `plan` (dry) turns a document into
what must be acquired and an argument vector, `qmp` talks to the running
process. The modules beside them run a guest's life: start, events, stop, and
finding it again after the daemon was restarted. May import engine, contract,
model, host.api, constants and errors.
"""
