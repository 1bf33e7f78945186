"""A guest's memory on disk: save images, core dumps, and what goes with them.

`header` is the file's format, dry; `files` opens images and puts helper
programs (compression, writing past the cache) between them and QEMU;
`migration` moves memory between QEMU and a descriptor and measures it; `image`
is a save image as a whole; `save`, `restore` and `dump` are what clients ask
for; `looking` is what they ask of a guest's memory and screen.
May enter: whatever moves or reads a guest's memory. May not: devices, disks.
"""
