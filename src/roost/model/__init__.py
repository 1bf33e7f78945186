"""The documents of every object family. Each family: parse, complete, validate, compare; all of it dry."""
