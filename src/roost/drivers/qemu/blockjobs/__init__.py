"""Images of running guests: pull, commit, copy; checkpoints and backups.

`state` is what is remembered of jobs, in memory and in the status file. `chain`
and `bitmaps` (dry) read and rebuild a disk's chain of images and what is known
of its changes. `runner` starts jobs in QEMU, follows its events, and has done
what a job's end asks for (`conclude`, `backups`), also for jobs that an earlier
life of the daemon began. `service` serves the calls about jobs, `inspection`
those that only look, `checkpoints` and `backups` theirs. May import what stands
beside this package in drivers/qemu; what the runner builds upon imports only
`state` and `chain`.
"""
