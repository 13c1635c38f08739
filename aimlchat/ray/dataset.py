"""`answer`: its arguments, checked, and the stages of the dataset that it returns."""

from __future__ import annotations

import copy
import functools
import inspect
from typing import TYPE_CHECKING, Any, Literal, Unpack

import attrs
import msgspec

from aimlchat._client.credentials import mask_headers
from aimlchat._client.output_options import check_output
from aimlchat._client.settings import check_policy
from aimlchat._client.spending import check_budget
from aimlchat._payload.json_values import describe
from aimlchat.errors import ConfigurationError
from aimlchat.policies import Limits
from aimlchat.session import ChatSession

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from ray.data import Dataset

    from aimlchat._client.prepare import Request
    from aimlchat.policies import RetryPolicy, Timeouts
    from aimlchat.request import RequestOptions

__all__ = ["answer"]

_SHARED_LIMITS = ("max_connections", "requests_per_minute", "tokens_per_minute", "concurrency")
_UNFIT_OPTIONS = {
    "messages": "it would replace the prompt of every row; use prompt=",
    "n": "only one answer of each row has a column",
    "tools": "tool calls have no column; use `complete_many` in a function of your own",
    "client_request_id": "each row gets an id of its own",
}


def answer(
    dataset: Dataset,
    prompt: str | Callable[[dict[str, Any]], Request] = "question",
    *,
    session: ChatSession | None = None,
    actors: int = 1,
    concurrency: int | Literal["auto"] = 32,
    batch_size: int = 1000,
    limits: Limits | None = None,
    budget_usd: float | None = None,
    resume_from: str | os.PathLike[str] | None = None,
    id_column: str = "id",
    retry_failed: bool = True,
    output_type: Any = None,
    output_retries: int = 0,
    models: Sequence[str] | None = None,
    timeouts: Timeouts | None = None,
    retry: RetryPolicy | None = None,
    headers: Mapping[str, str] | None = None,
    **options: Unpack[RequestOptions],
) -> Dataset:
    """Return the dataset with the columns of an answer added to each row.

    The columns are ``answer``, ``reasoning``, ``finish_reason``, ``prompt_tokens``,
    ``completion_tokens``, ``reasoning_tokens``, ``cached_tokens``, ``usd``, ``inference_id``,
    ``attempts`` and ``error``. A row that fails has an ``error``, the class and the text of the
    exception of `ChatSession.complete`, and no ``answer``; it never stops the others. A failure
    that would affect all of them (an invalid key, no credits, a server that cannot be reached) is
    the ``error`` of all rows that its actor still gets, and no further request is sent for them.

    Like every dataset it is lazy, and each time that it is executed its rows are sent, and paid
    for, again: write it, or call its ``materialize``, once.

    Args:
        dataset: the rows to answer. It must not have a column with one of the names above.
        prompt: the column of the prompts, each a text or a list of messages in OpenAI's form; or a
            function that is called with a row, a dict, and returns its request, as for
            `ChatSession.complete`.
        session: the actors use its settings; it makes no calls itself. By default a session with
            the key and the base URL of this process's environment. It is pickled, so it can have
            neither ``http`` nor an SSL context, and its hooks run in the actors.
        actors: how many actors make calls. Each has one session, and one batch at a time.
        concurrency: how many calls each actor may have in flight; ``"auto"`` adapts to what the
            server can sustain.
        batch_size: how many rows an actor takes at once. A batch ends with its slowest row, so let
            it have many times ``concurrency`` rows. An actor that dies loses its open batch, which
            is then sent, and may be charged, again; after three deaths its rows have an ``error``.
        limits: the limits of all actors together, each of which gets an equal share, rounded down;
            by default those of the session.
        budget_usd: no actor starts a call once the server has charged this many US dollars for all
            of them; the rows that remain have an ``error``. The calls in flight then continue: at
            most ``actors`` times ``concurrency``.
        resume_from: a folder (or one file) of results of earlier runs, in Parquet or in JSON lines:
            a path, or a URI such as ``s3://bucket/results``. It is read at once. Rows whose id has
            an answer there are left out. It need not exist yet.
        id_column: the column with the id of a row, a text or a whole number, in the dataset and in
            the results. Only ``resume_from`` needs it.
        retry_failed: whether rows that have failed according to ``resume_from`` are sent again.
        output_type: the type of the answers, as for `ChatSession.complete`: the column ``output``
            then has the JSON value as text. A row whose answer is not of the type has an ``error``.
        output_retries: as for `ChatSession.complete`, for each row.
        models: as for `ChatSession.complete`, for each row.
        timeouts: as for `ChatSession.complete`, for each row.
        retry: as for `ChatSession.complete`, for each row.
        headers: as for `ChatSession.complete`, for each row.
        **options: as for `ChatSession.complete`, for each row. Options whose results have no column
            are refused: ``n`` and ``tools``.

    Raises:
        ConfigurationError: ray is not installed, or an argument is invalid. A problem that only the
            data shows, such as a missing column, is raised when the dataset is executed, before
            anything is sent.
        InvalidRequestError: JSON schema cannot describe ``output_type``.
        TypeError: an option is unknown, or something cannot be pickled.
    """
    headers = mask_headers(headers)
    ray = _import_ray()
    if not isinstance(dataset, ray.data.Dataset):
        msg = f"dataset is {describe(dataset)}; give one of ray.data, such as from_items() returns"
        raise ConfigurationError(msg)
    # Loaded on use: they need pyarrow, or run only with ray.
    from .answering_actor import AnsweringActor  # noqa: PLC0415
    from .answering_job import AnsweringJob  # noqa: PLC0415
    from .known_results import leave_out_known, read_known_results  # noqa: PLC0415
    from .result_columns import check_names  # noqa: PLC0415
    from .shared_ledger import SharedLedger  # noqa: PLC0415

    _check_count("actors", actors)
    _check_count("batch_size", batch_size)
    check_budget(budget_usd)
    _check_prompt(prompt)
    for name, advice in _UNFIT_OPTIONS.items():
        if options.get(name) is not None:
            msg = f"{name}= has no use here: {advice}"
            raise ConfigurationError(msg)
    check_output(output_type, output_retries)
    job = AnsweringJob(
        prompt=prompt,
        id_column=None if resume_from is None else id_column,
        session=_share_session(session, limits, actors),
        ledger=SharedLedger(budget_usd),
        arguments={
            "concurrency": concurrency,
            "models": models,
            "timeouts": timeouts,
            "retry": retry,
            "headers": headers,
            "output_retries": output_retries,
            **options,
        },
        output_type=output_type,
    )
    job.complete_many(())  # checks the arguments, and sends nothing
    ray.cloudpickle.dumps(job)  # otherwise it would fail only when the dataset is executed
    schema = dataset.schema(fetch_if_missing=False)
    if schema is not None:
        check_names(schema.names, job)

    if resume_from is not None:
        known = read_known_results(resume_from, id_column, retry_failed=retry_failed)
        if known is not None:
            dataset = dataset.map_batches(
                functools.partial(leave_out_known, known=known, id_column=id_column),
                batch_size=None,
                batch_format="pyarrow",
            )
    # Ray runs the whole task of an actor that has died again, so a task must not hold more than one
    # batch: `map_batches` alone gives all batches of a block to one task.
    batches = dataset.repartition(target_num_rows_per_block=batch_size, strict=True)
    return batches.map_batches(
        AnsweringActor,
        fn_constructor_kwargs={"job": job},
        batch_size=None,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=actors),
        num_cpus=0,  # an actor only waits; with a CPU it would starve the readers on small machines
        udf_modifying_row_count=False,  # so that `take` and `limit` pay for few rows
    )


def _import_ray() -> Any:
    try:
        import ray.data  # noqa: PLC0415 - an optional dependency, loaded on use
    except ImportError as error:
        msg = (
            "aimlchat.ray needs the package ray with its part for data; install ray[data], or"
            ' aimlchat with the extra "ray", as in: pip install ".[ray]"'
        )
        raise ConfigurationError(msg) from error
    return ray


def _check_count(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        msg = f"{name} is {value!r}; give a whole number of at least 1"
        raise ConfigurationError(msg)


def _check_prompt(prompt: Any) -> None:
    if not isinstance(prompt, str) and not callable(prompt):
        msg = f"prompt= is an object of type {type(prompt).__name__}; give a column or a function"
        raise ConfigurationError(msg)
    if inspect.iscoroutinefunction(prompt):
        msg = "prompt= is a coroutine function, which is never awaited; give a plain one"
        raise ConfigurationError(msg)


def _share_session(session: Any, limits: Limits | None, actors: int) -> ChatSession:
    """Return a new session for each actor to copy, with its share of the limits."""
    if session is None:
        session = ChatSession()
    if not isinstance(session, ChatSession):
        kind = type(session).__name__
        msg = f"session= is an object of type {kind}; give a ChatSession that has made no call"
        raise ConfigurationError(msg)
    settings = session._settings  # noqa: SLF001 - not public on a session
    if settings.budget_usd is not None:
        msg = "each actor would have the session's budget_usd; give budget_usd= to answer() instead"
        raise ConfigurationError(msg)
    total = settings.limits if limits is None else check_policy(limits, Limits)
    twin = copy.copy(session)
    twin.__setstate__(
        {"_settings": msgspec.structs.replace(settings, limits=_divide(total, actors))}
    )
    return twin


def _divide(limits: Limits, actors: int) -> Limits:
    """Return the share of one actor in the limits of all."""
    shares = {}
    for name in _SHARED_LIMITS:
        total = getattr(limits, name)
        if not total:
            continue
        if total < actors:
            msg = f"limits.{name} is {total}, less than one for each of {actors} actors; use fewer"
            raise ConfigurationError(msg)
        shares[name] = total // actors
    return attrs.evolve(limits, **shares)
