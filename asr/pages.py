"""HTML pages: self-contained, of one look (pages.html), with everything from outside escaped."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2

_HERE = Path(__file__).parent
_SURROGATES = re.compile("[\ud800-\udfff]")


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

    Returns:
        The page; what is no character in it is shown as U+FFFD.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, _HERE]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # As text is, and not as \u escapes: a page in Chinese is half as long.
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    environment.filters.update(filters or {})
    page = environment.get_template(template.name).render(**values)
    # Half a pair of UTF-16, which JSON may hold, is no character, and no file takes it.
    return _SURROGATES.sub("\ufffd", page)


def refer_to_recording(audio: Path, folder: Path, *, offset: float, duration: float) -> str:
    """The address of a part of a recording in a page, for a player: "../a.wav#t=1.5,4".

    Args:
        audio: the file, which stays where it is.
        folder: of the page, from which it is seen.
        offset: seconds at which the part begins.
        duration: its seconds; 0.0 is to the end of the file.
    """
    absolute = Path(os.path.abspath(audio))
    try:
        place = quote(
            Path(os.path.relpath(absolute, os.path.abspath(folder))).as_posix(), errors="replace"
        )
    except ValueError:  # on Windows, on another drive
        place = absolute.as_uri()
    if not duration:
        return f"{place}#t={offset:.10g}" if offset else place
    return f"{place}#t={offset:.10g},{offset + duration:.10g}"
