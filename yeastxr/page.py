"""The frame of a page that loads nothing: its style, its few scripts, tables, and the figures' own."""

import html
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

from yeastxr.elements import embedded

# The browser refuses whatever a page might ask for; bokeh makes functions of text, and pictures of data.
_POLICY = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:"


def page(title: str, sections: list[str], figures: list[Any], details: str) -> str:
    """Return a page: sections are HTML, figures bokeh's; the title is text.

    Parameters
    ----------
    title
        The page's title.
    sections
        What comes before the figures.
    figures
        Bokeh figures, as wide as the page allows.
    details
        What comes behind them.
    """
    scripts, places = embedded(figures)
    pictures = "\n".join(f'<div class="picture">{place}</div>' for place in places)
    title = html.escape(title)
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{_asset("page.css")}</style>
{scripts}
</head>
<body>
<main>
<h1>{title}</h1>
{"".join(sections)}
<section><h2>Pictures</h2>
<div class="pictures">
{pictures}
</div>
</section>
{details}
<p id="said" class="note" role="status"></p>
</main>
<script>
{_asset("page.js")}</script>
</body>
</html>
"""


def section(title: str, body: str, name: str = "") -> str:
    """Return a section of a page: the title is text, the body HTML, the name what links lead to."""
    known = f' id="{name}"' if name else ""
    return f"<section{known}><h2>{html.escape(title)}</h2>{body}</section>"


def folded(title: str, body: str) -> str:
    """Return HTML that is shown when its title is clicked."""
    return f"<details><summary>{html.escape(title)}</summary>{body}</details>"


def rows(head: Iterable[str], body: Iterable[Iterable[object]], *, kind: str = "parameters", texts: int = 1) -> str:
    """Return a table, text in HTML: the first column names its rows; those after ``texts`` columns hold numbers."""

    def cell(at: int, value: object, tag: str = "td") -> str:
        side = ' class="text"' if at < texts else ""
        return f"<{tag}{side}>{html.escape(str(value))}</{tag.split()[0]}>"

    names = "".join(cell(at, name, 'th scope="col"') for at, name in enumerate(head))
    lines = "".join(
        "<tr>" + "".join(cell(at, value, "td" if at else 'th scope="row"') for at, value in enumerate(line)) + "</tr>"
        for line in body
    )
    top = f"<thead><tr>{names}</tr></thead>" if names else ""
    # What can be scrolled must be reached by keyboard, too.
    return f'<div class="wide" tabindex="0"><table class="{kind}">{top}<tbody>{lines}</tbody></table></div>'


def copied(text: str, what: str, *, file: str | None = None) -> str:
    """Return text in a frame, with a button that copies it, and one that saves it if it is a file."""
    buttons = f'<button type="button" aria-label="Copy {html.escape(what)}">Copy</button>'
    if file is not None:
        buttons += (
            f'<button type="button" data-name="{html.escape(file)}" aria-label="Save {html.escape(what)}">Save</button>'
        )
    # Browsers drop a line feed that comes first, and this one is.
    return f'<div class="code">{buttons}<pre tabindex="0">\n{html.escape(text, quote=False)}</pre></div>'


def _asset(name: str) -> str:
    return files("yeastxr").joinpath("assets", name).read_text(encoding="utf-8")
