"""The OpenAPI document as a page: one file, no script, nothing from anywhere else."""

import base64
import hashlib
import json
from collections.abc import Iterator
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --faint: #8881; --accent: #0a7d55; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); }
code, pre { font: 14px/1.4 ui-monospace, monospace; }
pre { background: var(--faint); padding: .75rem; overflow-x: auto; border-radius: 4px; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
td, th { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); }
summary { cursor: pointer; padding: .4rem 0; } summary code { font-weight: 600; }
.method { color: var(--accent); display: inline-block; min-width: 4rem; } .is-faint { opacity: .75; }
nav a { margin-right: 1rem; } details > *:not(summary) { margin-left: 1rem; }
"""


def documentation_page(document: dict[str, Any]) -> tuple[bytes, str]:
    """(the page, the Content-Security-Policy that it needs and that allows nothing more)."""
    page = "".join(_page(document)).encode()
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    return page, f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"


def _page(document: dict[str, Any]) -> Iterator[str]:
    info = document["info"]
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style></head><body>"
    yield f"<h1>{escape(info['title'])} API <span class=is-faint>{escape(info['version'])}</span></h1>"
    yield from (f"<p>{_text(part)}</p>" for part in info["description"].strip().split("\n\n"))
    yield '<p>The same for programs: <a href="../schema/">OpenAPI 3.1</a>.</p>'
    groups = _by_tag(document)
    yield "<nav>" + "".join(f'<a href="#{escape(tag)}">{escape(tag)}</a>' for tag in groups)
    yield '<a href="#schemas">schemas</a></nav>'
    for tag, operations in groups.items():
        yield f'<h2 id="{escape(tag)}">{escape(tag).capitalize()}</h2>'
        for path, method, operation in operations:
            yield from _operation(path, method, operation)
    yield '<h2 id="schemas">Schemas</h2>'
    for name, schema in document["components"]["schemas"].items():
        shown = json.dumps(schema, indent=2, ensure_ascii=False)
        yield f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        yield f"<pre>{escape(shown)}</pre></details>"
    yield "</body></html>"


def _by_tag(document: dict[str, Any]) -> dict[str, list[tuple[str, str, dict[str, Any]]]]:
    groups: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            groups.setdefault(operation["tags"][0], []).append((path, method, operation))
    return groups


def _operation(path: str, method: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f'<details id="{escape(operation["operationId"])}"><summary><code><span class=method>{method.upper()}</span> '
    yield f"{escape(_with_slash(path))}</code> {_text(operation['summary'])}</summary>"
    yield from (f"<p>{_text(part)}</p>" for part in operation.get("description", "").split("\n\n") if part)
    if operation.get("parameters"):
        yield "<h3>Parameters</h3><table>" + "".join(map(_parameter, operation["parameters"])) + "</table>"
    if "requestBody" in operation:
        yield "<h3>Body</h3>"
        for media_type, content in operation["requestBody"]["content"].items():
            yield f"<p><code>{escape(media_type)}</code> {_reference(content['schema'])}</p>"
            for example in content.get("examples", {}).values():
                yield f"<pre>{escape(json.dumps(example['value'], ensure_ascii=False, indent=2))}</pre>"
    yield "<h3>Answers</h3><table>"
    for status, response in operation["responses"].items():
        schemas = {_reference(content.get("schema", {})) for content in response.get("content", {}).values()}
        yield f"<tr><td><code>{escape(status)}</code><td>{_text(response['description'])}"
        yield f"<td>{' '.join(sorted(schemas))}"
    yield "</table></details>"


def _with_slash(path: str) -> str:
    return f"{path}/" if path.startswith("/api/") else path


def _parameter(parameter: dict[str, Any]) -> str:
    schema = parameter["schema"]
    needed = ", required" if parameter.get("required") else ""
    told = parameter.get("description") or schema.get("description", "")
    default = f" Default: <code>{escape(json.dumps(schema['default']))}</code>." if "default" in schema else ""
    return (
        f"<tr><td><code>{escape(parameter['name'])}</code><td class=is-faint>{parameter['in']}{needed}"
        f"<td>{_reference(schema)}<td>{_text(told)}{default}"
    )


def _reference(schema: dict[str, Any]) -> str:
    """A link to a named schema; of a plain one its type."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#{escape(name)}"><code>{escape(name)}</code></a>'
    parts = schema.get("anyOf") or schema.get("oneOf") or []
    named = [_reference(part) for part in parts if part.get("type") != "null"]
    return " or ".join(named) or f"<code>{escape(str(schema.get('type', '')))}</code>"


def _text(text: str) -> str:
    """Escaped, with `code` as code."""
    pieces = escape(text).split("`")
    return "".join(f"<code>{piece}</code>" if number % 2 else piece for number, piece in enumerate(pieces))
