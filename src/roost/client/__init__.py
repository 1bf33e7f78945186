"""The client: libvirt's protocol as a program speaks it, blocking or on asyncio.

`blocking` is what the command line uses; `aio` is the same over an event loop.
`uri` decides which socket and which name to open, `config` reads aliases and
defaults, `records` names the types of values. May import wire, protocol, errors and constants.

The blocking client must start in a few milliseconds: no asyncio, typing,
collections, re or urllib at run time in `blocking`, `uri` and `config`; what
only some calls need is imported lazily, inside functions.
"""
