"""Long work on the images of running guests: pull, commit, copy, backup.

`state` is what is remembered of jobs, in memory and in the status file. `chain`
(dry) reads and rebuilds a disk's chain of images. `runner` starts jobs in QEMU,
follows its events, and finishes what a job's end asks for (`conclude`), also
for jobs that an earlier life of the daemon began. `service` serves the calls.
May import what stands beside this package in drivers/qemu; only `state` is
imported by what the runner builds upon.
"""
