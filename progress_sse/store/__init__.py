"""Sessions that are kept: the operations on them, and the backends that commit."""
