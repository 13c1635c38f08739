"""The JSON payload of a request, in the dialect of its model; no I/O, no clock."""
