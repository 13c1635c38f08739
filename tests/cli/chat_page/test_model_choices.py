"""What the page offers for each model."""

import pytest

from aimlchat.cli.chat_page.model_choices import describe_model, list_model_choices
from aimlchat.model_types import Model

EFFORTS = ["low", "medium", "high"]


@pytest.mark.parametrize(
    ("model", "thinking", "efforts", "max_temperature"),
    [
        ("anthropic/claude-3.7-sonnet", ["budget"], EFFORTS, 2),
        ("anthropic/claude-haiku-4.5", ["budget"], [], 1),
        ("anthropic/claude-opus-4.8", ["off", "adaptive", "budget"], EFFORTS, None),
        ("openai/o3", [], EFFORTS, 2),
        # The documents that the tables were read from say that these do not reason.
        ("openai/gpt-4o", [], [], 2),
        ("gpt-4o", [], [], 2),
        ("anthropic/claude-3.5-haiku", [], [], 2),
        ("mistralai/mistral-nemo", [], [], 2),
        # Nothing is known about this one.
        ("local/llama", [], EFFORTS, 2),
    ],
)
def test_a_model_is_offered_with_the_options_that_it_takes(
    model, thinking, efforts, max_temperature
):
    choice = describe_model(Model(model))

    assert choice["thinking"] == thinking
    assert choice["efforts"] == efforts
    assert choice["max_temperature"] == max_temperature


@pytest.mark.parametrize(
    ("model", "files"),
    [
        (Model("openai/gpt-4o", capabilities=("vision",)), ["image", "pdf"]),
        (Model("openai/gpt-4o", input_modalities=("text", "image")), ["image", "pdf"]),
        (Model("openai/gpt-audio", input_modalities=("text", "audio")), ["pdf", "audio"]),
        (Model("deepseek/deepseek-r1", capabilities=("streaming",)), ["pdf"]),
        # Nothing is listed about it, so the server has to tell.
        (Model("local/llama"), ["image", "pdf", "audio"]),
        (Model("anthropic/claude-sonnet-4.5"), ["image", "pdf"]),
    ],
)
def test_a_model_is_offered_with_the_kinds_of_files_that_it_takes(model, files):
    assert describe_model(model)["files"] == files


def test_the_choices_are_the_chat_models_by_id():
    models = [Model("b"), Model("c", type="openai/image-generations"), Model("a")]

    assert [choice["id"] for choice in list_model_choices(models)] == ["a", "b"]
