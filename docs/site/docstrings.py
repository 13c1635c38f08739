"""An extension of Griffe, which reads the package for the reference.

It adds what Griffe does not do by itself:

- A name in single backticks, such as `ChatSession.stream`, becomes a link to its page. (Double
  backticks are for everything else, such as values and arguments.)
- Each item of an ``Attributes:`` section becomes the docstring of that attribute, which so gets an
  entry of its own, with its type and default.
- attrs classes and msgspec structs get the constructor that these packages make for them.
- The name of a type alias that has no page is replaced by what it stands for.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

from griffe import (
    Attribute,
    Class,
    Docstring,
    DocstringSectionKind,
    Expr,
    ExprCall,
    ExprKeyword,
    ExprName,
    Extension,
    Function,
    Module,
    Object,
    Parameter,
    ParameterKind,
    Parameters,
)

_NAME = re.compile(r"(?<![`\w])`([A-Za-z_][\w.]*)`(?!`)")
_FACTORIES = {"dict": "{}", "list": "[]"}


class Docstrings(Extension):
    """Links, attributes and constructors."""

    def on_package(self, *, pkg: Module, **_: Any) -> None:
        """Change all docstrings and classes of the package, once it has been read."""
        for target in walk(pkg):
            if isinstance(target, Class):
                document_attributes(target)
                if is_made_by_package(target) and "__init__" in target.members:
                    target.del_member("__init__")
                elif "__init__" not in target.members:
                    add_constructor(target)
        pages = find_pages(pkg)
        for target in walk(pkg):
            if target.docstring is not None:
                target.docstring.value = add_links(target, pages, pkg)
            if isinstance(target, Attribute):
                target.annotation = expand_aliases(target.annotation, pages, pkg)
                target.labels -= {"class-attribute", "instance-attribute"}
            elif isinstance(target, Function):
                target.returns = expand_aliases(target.returns, pages, pkg)
                for parameter in target.parameters:
                    parameter.annotation = expand_aliases(parameter.annotation, pages, pkg)


def find_pages(package: Module) -> dict[str, str]:
    """Return the full names of the objects that have a page, by their short names."""
    config = (Path(__file__).parents[2] / ".mkdocs.yml").read_text(encoding="utf-8")
    folders = re.findall(r"reference/(\w+)/index\.md", config)
    modules: list[Any] = [package, *(package[folder] for folder in folders)]
    pages = {}
    for module in reversed(modules):
        for name in map(str, module.exports):
            # A function may have the name of its module, as in batch.run.
            found = module.members.get(name)
            parent = found if found is not None and found.is_module else module
            pages[name] = f"{parent.path}.{name}"
    return pages


def walk(parent: Module | Class) -> list[Object]:
    """Return an object and everything that is defined in it."""
    found: list[Object] = [parent]
    for member in parent.members.values():
        if isinstance(member, Module | Class):
            found += walk(member)
        elif isinstance(member, Object):
            found.append(member)
    return found


def document_attributes(owner: Class) -> None:
    """Give the attributes of a class the texts of its ``Attributes:`` section."""
    if owner.docstring is None:
        return
    for section in owner.docstring.parse("google", warnings=False):
        if section.kind is DocstringSectionKind.attributes:
            for item in section.value:
                attribute = owner.all_members.get(item.name)
                if isinstance(attribute, Attribute) and attribute.docstring is None:
                    text = item.description[:1].upper() + item.description[1:]
                    take_over_argument(attribute)
                    attribute.docstring = Docstring(text, parent=attribute)


def take_over_argument(attribute: Attribute) -> None:
    """Give an attribute that ``__init__`` sets to its argument the type and default of that."""
    init = attribute.parent.members.get("__init__") if attribute.parent else None
    if isinstance(init, Function) and attribute.name in init.parameters:
        argument = init.parameters[attribute.name]
        attribute.annotation, attribute.value = argument.annotation, argument.default


def is_made_by_package(owner: Class) -> bool:
    """Return whether users do not call the constructor of a class."""
    text = owner.docstring.value if owner.docstring else ""
    return re.search(r"\b(Created|Made) by `", text) is not None


def add_links(owner: Object, pages: dict[str, str], package: Module) -> str:
    """Return a docstring with links for the names of public objects and of members."""
    own_class = owner if owner.is_class else owner.parent
    text = owner.docstring.value if owner.docstring else ""

    def find(name: str) -> str | None:
        if name.startswith(f"{package.path}."):
            short = name.removeprefix(f"{package.path}.")
            return name if name in pages.values() or pages.get(short) == name else None
        first, _, member = name.partition(".")
        if first in pages:
            found = package[pages[first].removeprefix(f"{package.path}.")]
            if member and found.is_class and has_entry(found, member):
                return f"{pages[first]}.{member}"
            return pages[first]
        if isinstance(own_class, Class) and has_entry(own_class, name):
            return f"{pages.get(own_class.name, own_class.path)}.{name}"
        return None

    def link(match: re.Match[str]) -> str:
        path = find(match[1])
        return match[0] if path in (None, owner.path) else f"[`{match[1]}`][{path}]"

    return _NAME.sub(link, text)


def expand_aliases(annotation: Any, pages: dict[str, str], package: Module) -> Any:
    """Return an annotation with the type aliases that have no page replaced by their values."""
    if isinstance(annotation, list):
        return [expand_aliases(item, pages, package) for item in annotation]
    if isinstance(annotation, ExprName) and annotation.name not in pages:
        _, _, path = annotation.canonical_path.partition(f"{package.path}.")
        try:
            alias = package[path] if path else None
        except KeyError:
            alias = None
        if isinstance(alias, Attribute) and isinstance(alias.value, Expr):
            return expand_aliases(alias.value, pages, package)
        return annotation
    if not isinstance(annotation, Expr):
        return annotation
    fields = {
        field.name: expand_aliases(getattr(annotation, field.name), pages, package)
        for field in dataclasses.fields(annotation)
        if field.init
    }
    return dataclasses.replace(annotation, **fields)


def has_entry(owner: Any, name: str) -> bool:
    """Return whether a member of a class is in the reference."""
    member = owner.all_members.get(name)
    return member is not None and member.docstring is not None


def add_constructor(owner: Class) -> None:
    """Add the ``__init__`` of an attrs class or of a msgspec struct."""
    parameters: dict[str, Parameter] = {}
    is_generated = False
    for base in [*reversed(owner.mro()), owner]:
        makers = [str(decorator.callable_path) for decorator in base.decorators]
        makers += [str(parent) for parent in base.bases]
        if any(maker.startswith(("attr", "msgspec")) for maker in makers):
            is_generated = True
            for member in base.members.values():
                if isinstance(member, Attribute) and (parameter := build_parameter(member)):
                    parameters[parameter.name] = parameter
    if is_generated:
        keyword_only = ParameterKind.keyword_only
        ordered = sorted(parameters.values(), key=lambda parameter: parameter.kind is keyword_only)
        own = Parameter("self", kind=ParameterKind.positional_or_keyword)
        init = Function("__init__", parameters=Parameters(own, *ordered), returns="None")
        owner.set_member("__init__", init)


def build_parameter(field: Attribute) -> Parameter | None:
    """Return the argument that sets a field, None if no argument does."""
    is_class_variable = "instance-attribute" not in field.labels
    if field.annotation is None or "property" in field.labels or is_class_variable:
        return None
    name, annotation, default = field.name, field.annotation, field.value
    kind = ParameterKind.positional_or_keyword
    if isinstance(default, ExprCall) and default.canonical_path == "attrs.field":
        options = {
            option.name: option.value
            for option in default.arguments
            if isinstance(option, ExprKeyword)
        }
        if str(options.get("init")) == "False":
            return None
        if str(options.get("kw_only")) == "True":
            kind = ParameterKind.keyword_only
        if "converter" in options:
            annotation = find_converted_type(field, options["converter"]) or annotation
        if "alias" in options:
            name = str(options["alias"]).strip("'\"")
        default = options.get("default")
        if "factory" in options:
            default = _FACTORIES.get(str(options["factory"]), "...")
        field.value = default  # shown beside the type of the attribute, too
    if name.startswith("_"):
        return None
    return Parameter(name, annotation=annotation, kind=kind, default=default)


def find_converted_type(field: Attribute, converter: Any) -> Any:
    """Return the type that the converter of a field takes, None if it is not known."""
    _, _, path = str(converter.canonical_path).partition(f"{field.package.path}.")
    function: Any = field.package[path] if path else None
    return function.parameters[0].annotation if isinstance(function, Function) else None
