"""From the bytes of a response to deltas and a completion. No I/O, no clock."""
