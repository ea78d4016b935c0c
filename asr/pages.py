"""HTML pages: self-contained, of one look (pages.html), with everything from outside escaped."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2

_HERE = Path(__file__).parent


def render_page(
    template: Path,
    values: Mapping[str, Any],
    filters: Mapping[str, Callable[..., str]] | None = None,
) -> str:
    """Fill in a template that extends pages.html.

    Args:
        template: the file.
        values: what it names; a name without a value is an error.
        filters: ways of writing numbers, by the names that the template has for them.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, _HERE]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters or {})
    return environment.get_template(template.name).render(**values)
