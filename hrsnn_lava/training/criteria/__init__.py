"""Criteria of screening, a file each. Parts of the kind ``criterion``."""
