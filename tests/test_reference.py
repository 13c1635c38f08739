"""The reference: a page for every public name, made from docstrings that say what is needed."""

import inspect
import re
from importlib import import_module

import attrs
import pytest
from snippets import ROOT

from aimlchat import ChatRequest, RequestOptions
from aimlchat.emulator import Emulator

MODULES = (
    "aimlchat",
    "aimlchat.batch",
    "aimlchat.emulator",
    "aimlchat.mcp",
    "aimlchat.otel",
    "aimlchat.ray",
    "aimlchat.relay",
)
PUBLIC = {
    f"{module}.{name}": getattr(import_module(module), name)
    for module in MODULES
    for name in import_module(module).__all__
}
CLASSES = {name: value for name, value in PUBLIC.items() if isinstance(value, type)}
_ITEM = r"^    (?P<name>\*{0,2}\w+): (?P<text>.*(?:\n(?:        .*)?)*)"


def section(docstring, title):
    """Return the items of a section, such as ``Args:``, by name."""
    found = re.search(rf"^{title}:\n((?:    .*\n?|\n)+)", docstring, re.MULTILINE)
    items = re.finditer(_ITEM, found[1], re.MULTILINE) if found else ()
    return {item["name"].lstrip("*"): " ".join(item["text"].split()) for item in items}


def is_ours(value):
    return getattr(value, "__module__", "").startswith("aimlchat")


def is_protocol(owner):
    return getattr(owner, "_is_protocol", False)


def members(owner):
    """Return the public methods and properties of a class, those it inherits from us included."""
    found = {}
    for parent in filter(is_ours, reversed(owner.__mro__)):
        for name, value in vars(parent).items():
            member = getattr(value, "__func__", value)  # the function of a class method
            is_member = inspect.isfunction(member) or isinstance(member, property)
            if is_member and not name.startswith("_"):
                found[name] = member
    return found


def fields(owner):
    """Return the public attributes of the instances of a class that are no properties."""
    if attrs.has(owner):
        return {field.alias for field in attrs.fields(owner) if field.init and field.alias != "raw"}
    if issubclass(owner, Exception):
        parameters = {
            name
            for parent in filter(is_ours, owner.__mro__)
            if "__init__" in vars(parent)
            for name in inspect.signature(parent.__init__).parameters
        }
        return parameters - {"self", "facts", "message"}
    return set(getattr(owner, "__struct_fields__", ()))


CALLABLES = {
    **{name: value for name, value in PUBLIC.items() if inspect.isfunction(value)},
    **{
        f"{name}.{member}": value
        for name, owner in CLASSES.items()
        for member, value in members(owner).items()
    },
}
FUNCTIONS = {name: value for name, value in CALLABLES.items() if inspect.isfunction(value)}


def test_every_public_name_has_a_page_and_no_other_name_has_one():
    config = (ROOT / ".mkdocs.yml").read_text(encoding="utf-8")
    paths = re.findall(r"^ +- (\w+): reference/(\S+)\.md$", config, re.MULTILINE)

    assert [path for title, path in paths if path.rpartition("/")[2] != title] == []
    pages = [f"aimlchat.{path.replace('/', '.')}" for _, path in paths]
    assert sorted(pages) == sorted(PUBLIC)


@pytest.mark.parametrize("name", [*CLASSES, *CALLABLES])
def test_it_has_a_docstring(name):
    assert inspect.getdoc(CLASSES.get(name) or CALLABLES[name])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_docstring_names_every_argument(name):
    function = FUNCTIONS[name]
    docstring = inspect.getdoc(function)
    described = section(docstring, "Args") | dict.fromkeys(re.findall(r"``(\w+)``", docstring))
    for other in re.findall(r"arguments of `(\w+)`", docstring):
        described |= section(
            inspect.getdoc(FUNCTIONS[f"{name.rpartition('.')[0]}.{other}"]), "Args"
        )
    arguments = [*inspect.signature(function).parameters.values()]
    if function.__qualname__ != function.__name__:
        arguments = arguments[1:]  # self

    assert [argument.name for argument in arguments if argument.name not in described] == []
    assert section(docstring, "Args").keys() <= {argument.name for argument in arguments}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_docstring_says_what_is_returned(name):
    returned = inspect.signature(FUNCTIONS[name]).return_annotation

    assert returned == "None" or re.search(r"\b([Rr]eturn|Yield)", inspect.getdoc(FUNCTIONS[name]))


@pytest.mark.parametrize("name", CALLABLES)
def test_what_is_raised_is_a_section_of_its_own(name):
    docstring = inspect.getdoc(CALLABLES[name])

    assert not re.search(r"\bRaises\b(?!:$)", docstring, re.MULTILINE)
    assert "Raises:" not in docstring or section(docstring, "Raises")


@pytest.mark.parametrize(
    "name", [name for name, value in FUNCTIONS.items() if inspect.iscoroutinefunction(value)]
)
def test_a_coroutine_says_what_cancelling_does(name):
    assert re.search(r"\b[Cc]ancel", inspect.getdoc(FUNCTIONS[name]))


@pytest.mark.parametrize(
    "name", [name for name, owner in CLASSES.items() if hasattr(owner, "__anext__")]
)
def test_an_async_iterator_says_what_cancelling_does(name):
    assert re.search(r"\b[Cc]ancel", inspect.getdoc(CLASSES[name]))


@pytest.mark.parametrize(
    "name", [name for name, owner in CLASSES.items() if owner not in (ChatRequest, RequestOptions)]
)
def test_a_class_documents_its_attributes(name):
    owner = CLASSES[name]
    described = dict.fromkeys(members(owner))
    for parent in filter(is_ours, owner.__mro__):
        described |= section(inspect.cleandoc(parent.__doc__ or ""), "Attributes")

    for other in re.findall(r"`Emulator\.(\w+)` documents the fields", owner.__doc__):
        described |= section(inspect.getdoc(getattr(Emulator, other)), "Args")

    assert sorted(fields(owner) - described.keys()) == []
    is_made_by_us = re.search(r"(Created|Made) by `", owner.__doc__) or is_protocol(owner)
    if not fields(owner) and "__init__" in vars(owner) and not is_made_by_us:
        arguments = inspect.signature(owner).parameters.keys()
        assert arguments - section(inspect.getdoc(owner), "Args").keys() == set()


def test_every_field_of_a_request_is_documented_with_its_dialect():
    described = section(inspect.getdoc(ChatRequest), "Args")

    assert list(described) == [field.alias for field in attrs.fields(ChatRequest)]
    assert described.keys() == RequestOptions.__annotations__.keys()
    of_both = {"tools", "tool_choice", "system"}  # in either form
    assert [
        name
        for name, text in described.items()
        if not re.search(r"dialect|Both|Claude", text) and name not in of_both
    ] == []


@pytest.mark.parametrize("owner", CLASSES.values(), ids=CLASSES)
def test_a_list_is_a_section_and_not_a_list_of_dashes(owner):
    assert not re.search(r"^- ``", inspect.getdoc(owner), re.MULTILINE)
