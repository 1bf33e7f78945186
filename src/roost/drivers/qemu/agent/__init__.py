"""The guest agent: what runs inside a guest, tells of it and does things there.

What comes from it comes from the guest, which may be silent, lie or send rubbish: `messages` and `answers` are dry
and check every byte, `client` has one command under way at a time and a deadline, `link` follows the channel's state.
`service` serves contract.agent; `disks`, `facts` and `vcpus` are its dry parts.

This module presents what the rest of the driver keeps of a guest's agent; `service` is wired by the driver itself.
"""

from roost.drivers.qemu.agent.link import AgentLink

__all__ = ["AgentLink"]
