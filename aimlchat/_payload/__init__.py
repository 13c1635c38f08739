"""A request to its JSON payload, in the dialect of its model. No I/O, no clock."""
