"""The checkpoint document of a domain: since when the changes of which disks are known.

`parse` makes a Checkpoint of XML, `complete` and `complete_redefined` fill in
what the domain implies and refuse what cannot be, `format` writes it.
May enter: records and dry rules of checkpoints.
"""

from roost.model.checkpoint.checkpoint import Checkpoint, CheckpointDisk
from roost.model.checkpoint.complete import becomes_current, complete, complete_redefined
from roost.model.checkpoint.document import format, parse

__all__ = ["Checkpoint", "CheckpointDisk", "becomes_current", "complete", "complete_redefined", "format", "parse"]
