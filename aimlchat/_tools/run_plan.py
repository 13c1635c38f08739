"""The arguments of a run, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from aimlchat._client.prepare import RequestFields, resolve_request
from aimlchat._client.spending import Spending
from aimlchat._payload.json_values import describe, refuse
from aimlchat._payload.kept_turns import continues_calls_without_thinking
from aimlchat._payload.models import find_model_row, parse_thinking
from aimlchat._payload.tools import parse_tool, relax_choice
from aimlchat.errors import RequestTimeoutError
from aimlchat.request import ChatRequest
from aimlchat.tool_types import Tool, ToolCall

if TYPE_CHECKING:
    from aimlchat._client.prepare import Request
    from aimlchat.errors import AIMLChatError
    from aimlchat.policies import Timeouts

    from .run_output import RunOutput

__all__ = ["OnTool", "RunPlan", "build_plan"]

OnTool = Callable[[Any], Any]


@attrs.frozen(eq=False)
class RunPlan:
    """The arguments of a run.

    Attributes:
        request: the conversation and its options, the tools included.
        tools: the tools by their names; None stands for a tool without a function.
        max_rounds: how many rounds may call tools.
        on_tool: the caller's hook, None if there is none.
        budget: what the run may spend, None for no limit.
        timeouts: the timeouts of each round; the deadline applies to the whole run.
        models: the models that get the request in turn; empty for the model of the request.
        output_retries: how often an answer that is not of the type is requested again; None if the
            run has no type.
    """

    request: ChatRequest
    tools: Mapping[str, Tool | None]
    max_rounds: int
    on_tool: OnTool | None
    budget: Spending | None
    timeouts: Timeouts
    models: tuple[str, ...] = ()
    output_retries: int | None = None

    def begin_output(self, spending: Spending | None) -> RunOutput | None:
        """Return the check of the answer; ``spending`` is the budget of the session."""
        if self.output_retries is None:
            return None
        from .run_output import RunOutput  # noqa: PLC0415 - few runs have a type

        return RunOutput((self.budget, spending), self.output_retries)

    def build_round(self, conversation: ChatRequest, rounds: int) -> ChatRequest:
        """Return the request of the next round, after this many rounds.

        A choice that forces a call applies to the first round only, or there would be no answer.
        Claude refuses a budget for thinking in the middle of tool calls that began without
        thinking, so the budget is left out until it has answered.
        """
        if self._has_refused_budget(conversation):
            conversation = conversation.options(thinking=False)
        if not rounds:
            return conversation
        if rounds >= self.max_rounds:
            return conversation.options(tool_choice="none")
        return conversation.options(tool_choice=relax_choice(conversation.tool_choice))

    def _has_refused_budget(self, conversation: ChatRequest) -> bool:
        if conversation.thinking is None or conversation.dialect not in (None, "messages"):
            return False
        models = self.models or (conversation.model,)
        return (
            parse_thinking(conversation.thinking)[1] is not None
            and all(isinstance(model, str) and find_model_row(model).is_claude for model in models)
            and continues_calls_without_thinking(conversation.messages)
        )

    def split_calls(
        self, calls: Sequence[ToolCall]
    ) -> tuple[tuple[ToolCall, ...], tuple[ToolCall, ...]]:
        """Return the calls that run here, or fail here, and those that the caller has to run."""
        own = tuple(call for call in calls if self.tools.get(call.name, call) is not None)
        pending = tuple(call for call in calls if self.tools.get(call.name, call) is None)
        return own, pending

    def build_deadline_error(self) -> RequestTimeoutError:
        """Return the error of a run that has taken longer than its deadline."""
        msg = f"the run did not finish within {self.timeouts.deadline:g} s"
        return RequestTimeoutError(msg, phase="deadline")

    def explain_deadline(self, failure: AIMLChatError) -> None:
        """Make the error of a round at its deadline name the deadline of the run."""
        if isinstance(failure, RequestTimeoutError) and failure.phase == "deadline":
            failure.args = self.build_deadline_error().args


def build_plan(
    request: Request,
    options: Mapping[str, Any],
    default_model: str,
    *,
    max_rounds: int,
    on_tool: OnTool | None,
    budget_usd: float | None,
    timeouts: Timeouts,
    models: tuple[str, ...] = (),
    output_retries: int | None = None,
) -> RunPlan:
    """Check the arguments of a run.

    Raises `InvalidRequestError`, and `ConfigurationError` for an invalid budget.
    """
    resolved = resolve_request(request, options, default_model)
    conversation = resolved.to_request() if isinstance(resolved, RequestFields) else resolved
    if not isinstance(conversation, ChatRequest):
        refuse(f"a run takes no {type(conversation).__name__}; give a ChatRequest", "request")
    extra = conversation.extra if isinstance(conversation.extra, Mapping) else {}
    for n in (conversation.n, extra.get("n")):
        if n not in (None, 1):
            msg = f"a run follows one choice, not {describe(n)}; leave it out"
            refuse(msg, "n")
    if not isinstance(max_rounds, int) or isinstance(max_rounds, bool) or max_rounds < 1:
        refuse(f"{describe(max_rounds)} is not a number of rounds; give at least 1", "max_rounds")
    if on_tool is not None and not callable(on_tool):
        refuse(f"{describe(on_tool)} is not a function; give one that takes a call", "on_tool")
    return RunPlan(
        conversation,
        _index_tools(conversation.tools),
        max_rounds,
        on_tool,
        None if budget_usd is None else Spending(budget_usd, "run"),
        timeouts,
        models,
        output_retries,
    )


def _index_tools(tools: Any) -> dict[str, Tool | None]:
    by_name: dict[str, Tool | None] = {}
    if not isinstance(tools, Iterable) or isinstance(tools, str | Mapping):
        refuse(f"{describe(tools)} is not a list of tools; give [Tool(...), ...]", "tools")
    for index, tool in enumerate(tools):
        field = f"tools[{index}]"
        name = parse_tool(tool, field).tool.name
        if name in by_name:
            refuse(f"a tool before it has the same name, {name!r}; give each its own", field)
        function = tool.function if isinstance(tool, Tool) else None
        if function is not None and not callable(function):
            refuse(f"{describe(function)} is not a function", f"{field}.function")
        if isinstance(tool, Tool):
            _check_timeout(tool.timeout, f"{field}.timeout")
        by_name[name] = tool if function is not None else None
    return by_name


def _check_timeout(timeout: Any, field: str) -> None:
    if timeout is None:
        return
    is_number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if not (is_number and timeout > 0):  # also refuses NaN
        refuse(f"{describe(timeout)} is not a time; give seconds above 0, or None", field)
