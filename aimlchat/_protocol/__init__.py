"""From the bytes of a response to deltas and a completion; no I/O, no clock."""
