"""Tools that run: what a round of a `aimlchat.runs.ToolRun` consists of besides its stream."""
