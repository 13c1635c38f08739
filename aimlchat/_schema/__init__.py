"""Types to JSON schema, and JSON values back to values of those types."""
