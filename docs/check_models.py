"""Check the table of models against the request schemas that the vendor publishes.

    python docs/check_models.py FOLDER...

Each JSON file in the folders is read: a JSON schema of a chat request, or an OpenAPI document with
such a schema. What the table (`aimlchat/_payload/model_table.py`) says differently about a model is
printed, one line each, and the exit status is 1; also if there is no schema. Of models other than
Claude the table does not claim which fields they lack, so that is not compared.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aimlchat._payload.model_table import TABLE_DATE
from aimlchat._payload.models import find_model_row, takes_images

if TYPE_CHECKING:
    from collections.abc import Iterator

ENDPOINT = "/chat/completions"
# The fields that the table may refuse, and the dialects that have them.
FIELDS = {
    "temperature": {"openai", "anthropic"},
    "top_p": {"openai", "anthropic"},
    "top_k": {"anthropic"},
    "response_format": {"openai"},
    "stream_options": {"openai"},
}


class Document:
    """A JSON document with references inside it."""

    def __init__(self, root: Any) -> None:
        self.root = root

    def follow(self, node: Any) -> Any:
        """Return what a node refers to, or the node itself."""
        for _ in range(10):
            if not (isinstance(node, dict) and isinstance(node.get("$ref"), str)):
                break
            target = self.root
            for step in node["$ref"].removeprefix("#/").split("/"):
                key = step.replace("~1", "/").replace("~0", "~")
                target = target.get(key) if isinstance(target, dict) else None
            node = target
        return node

    def walk(self, node: Any, seen: set[int] | None = None) -> Iterator[dict[str, Any]]:
        """Yield every object at a node and below it, once."""
        node, seen = self.follow(node), set() if seen is None else seen
        if id(node) in seen or not isinstance(node, dict | list):
            return
        seen.add(id(node))
        if isinstance(node, dict):
            yield node
        for value in node.values() if isinstance(node, dict) else node:
            yield from self.walk(value, seen)

    def properties_of(self, node: dict[str, Any]) -> dict[str, Any]:
        """Return the properties of an object, those in its `allOf` included."""
        properties: dict[str, Any] = {}
        for part in (*_as_list(node.get("allOf")), node):
            followed = self.follow(part)
            own = followed.get("properties") if isinstance(followed, dict) else None
            properties |= own if isinstance(own, dict) else {}
        return properties

    def requests(self) -> Iterator[dict[str, Any]]:
        """Yield the properties of every schema of a chat request."""
        start = self.root
        if isinstance(start, dict) and isinstance(start.get("paths"), dict):
            # Only the bodies: a response may repeat the request. Other endpoints have other rules.
            posts = [
                item.get("post")
                for path, item in start["paths"].items()
                if path.endswith(ENDPOINT) and isinstance(item, dict)
            ]
            start = [post.get("requestBody") for post in posts if isinstance(post, dict)]
        for node in self.walk(start):
            properties = self.properties_of(node)
            if {"model", "messages"} <= properties.keys():
                yield properties

    def values(self, node: Any) -> set[str]:
        """Return the texts that a schema allows, also in its alternatives."""
        found: set[str] = set()
        for part in self.walk(node):
            found |= {part["const"]} if _is_text(part.get("const")) else set()
            found |= {*filter(_is_text, _as_list(part.get("enum")))}
        return found

    def values_of(self, name: str, node: Any) -> set[str]:
        """Return the texts that the property `name` may have, anywhere in a schema."""
        found: set[str] = set()
        for part in self.walk(node):
            properties = part.get("properties")
            if isinstance(properties, dict) and name in properties:
                found |= self.values(properties[name])
        return found


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def dialects_of(document: Document, properties: dict[str, Any]) -> set[str]:
    """Return the dialects in which messages fit a schema; none if it does not tell."""
    roles = document.values_of("role", properties["messages"])
    parts = document.values_of("type", properties["messages"])
    dialects = set()
    if roles & {"system", "developer", "tool"} or "image_url" in parts:
        dialects.add("openai")
    if {"system", "stop_sequences"} & properties.keys() or parts & {"tool_use", "tool_result"}:
        dialects.add("anthropic")
    return dialects


def compare(model: str, document: Document, properties: dict[str, Any]) -> Iterator[str]:
    """Yield what the table says differently about a model."""
    row = find_model_row(model)
    dialects = dialects_of(document, properties)
    for dialect in sorted(dialects - {*row.dialects}):
        yield f"takes the {dialect} dialect, and the table has {' and '.join(row.dialects)}"
    for field, known_in in FIELDS.items():
        if field in properties and field in row.refused_fields:
            yield f"takes {field}, which the table refuses"
        elif (
            field not in properties
            and field not in row.refused_fields
            and dialects & known_in
            and row.is_claude
        ):
            yield f"takes no {field}, which the table does not refuse"
    if "openai" in dialects and "tools" in properties:
        has_images = "image_url" in document.values_of("type", properties["messages"])
        if has_images and not takes_images(model):
            yield "takes images, which the table denies"
        elif takes_images(model) and not has_images:
            yield "takes no images, which the table does not know"
    yield from compare_thinking(model, dialects, document, properties)
    response_format = properties.get("response_format")
    formats = document.values_of("type", response_format)
    takes_schemas = "json_schema" in formats if formats else response_format is not None
    if row.output_way == "response_format" and dialects and not takes_schemas:
        yield "takes no schema as response_format, by which the table asks for answers of a type"
    if row.output_way == "tool" and "tools" not in properties:
        yield "takes no tools, by which the table asks for answers of a type"


def compare_thinking(
    model: str, dialects: set[str], document: Document, properties: dict[str, Any]
) -> Iterator[str]:
    """Yield what the table says differently about thinking."""
    row = find_model_row(model)
    if "thinking" not in properties:
        if row.thinking_dialect in dialects:
            yield f"takes no thinking, and the table has it in the {row.thinking_dialect} dialect"
        return
    if dialects and row.thinking_dialect not in dialects:
        where = " and ".join(sorted(dialects))
        yield f"thinks in the {where} dialect, and the table has {row.thinking_dialect}"
    thinking = {"properties": {"thinking": properties["thinking"]}}
    modes = document.values_of("type", thinking)
    if not any("budget_tokens" in part.get("properties", {}) for part in document.walk(thinking)):
        modes -= {"enabled"}  # a request always has a budget
    for mode in sorted(modes - {*row.thinking_modes}):
        yield f"takes {mode} thinking, which the table does not have"
    for mode in sorted({*row.thinking_modes} - modes if modes else ()):
        yield f"takes no {mode} thinking, which the table has"


def check_folder(folder: Path) -> tuple[int, list[str]]:
    """Return how many names of models were compared, and what disagrees."""
    names, problems = 0, []
    for path in sorted(folder.rglob("*.json")):
        try:
            document = Document(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            problems.append(f"{path}: cannot be read: {error}")
            continue
        for properties in document.requests():
            for model in sorted(document.values(properties["model"])):
                names += 1
                found = compare(model, document, properties)
                problems += [f"{path}: {model} {problem}" for problem in found]
    return names, problems


def main(folders: list[str]) -> int:
    """Check the folders, print what disagrees, and return the exit status."""
    if not folders:
        sys.stderr.write(f"{__doc__}")
        return 2
    names = 0
    problems: list[str] = []
    for folder in folders:
        found = check_folder(Path(folder))
        names, problems = names + found[0], problems + found[1]
    lines = dict.fromkeys(problems)  # a schema may be reached on several ways
    if not names:
        lines["there is no schema of a chat request that names its models"] = None
    sys.stdout.writelines(f"{line}\n" for line in lines)
    print(  # noqa: T201 - a script
        f"{names} names of models compared with the table of {TABLE_DATE}:"
        f" {len(lines)} disagreements"
    )
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
