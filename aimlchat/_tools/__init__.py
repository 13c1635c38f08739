"""Tools that run: the parts of a round of an `aimlchat.runs.ToolRun` other than its stream."""
