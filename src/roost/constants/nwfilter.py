"""Public numbers and names of the libvirt API: network filters."""

BINDING_CREATE_VALIDATE = 1
DEFINE_VALIDATE = 1
