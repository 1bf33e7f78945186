"""Public numbers and names of the libvirt API: host interfaces."""

LIST_INTERFACES_INACTIVE = 1
LIST_INTERFACES_ACTIVE = 2
DEFINE_VALIDATE = 1
XML_INACTIVE = 1
