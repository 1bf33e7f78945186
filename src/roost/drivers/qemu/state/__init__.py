"""A guest's memory on disk: save images, core dumps, and what goes with them.

`header` is the file's format, dry; `files` opens images and has `pipeline` put
helper programs (compression, writing past the cache) between them and QEMU;
`routes` are the ways of memory between QEMU and a file, `migration` moves it
there and `progress`, dry, measures it; `image` is a save image as a whole; `save`, `restore` and `dump`
are what clients ask for, `looking` what they ask of memory and screen, and
`service` the interfaces over them. `unfinished` and `interrupted` are for the
daemon that died meanwhile.
May enter: whatever moves or reads a guest's memory. May not: devices, disks.
"""
