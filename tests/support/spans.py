"""Spans and metrics that a test has exported."""

CLAUDE, GPT = "anthropic/claude-3.7-sonnet", "openai/gpt-4o"
USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 7,
    "total_tokens": 17,
    "prompt_tokens_details": {"cached_tokens": 4, "cache_creation_tokens": 2},
    "completion_tokens_details": {"reasoning_tokens": 3},
}


def only(exporter):
    """Return the only span that has ended."""
    [span] = exporter.get_finished_spans()
    return span


def points_of(reader):
    """Return the points of all metrics, by name."""
    data = reader.get_metrics_data()
    if data is None:
        return {}
    return {
        metric.name: list(metric.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
