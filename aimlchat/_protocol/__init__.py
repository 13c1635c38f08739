"""Parsing of responses, from bytes to deltas and a completion; no I/O, no clock."""
