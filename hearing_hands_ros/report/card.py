"""The card of a model as a part of a page."""

from __future__ import annotations

from typing import Final

from markdown_it import MarkdownIt
from markupsafe import Markup

OUTSIDE: Final = ("https://", "http://")


def card_html(text: str) -> Markup:
    """Markdown as HTML: none of its own markup, no pictures, and links that lead somewhere only.

    Args:
        text: Of a README.md.
    """
    reader = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    tokens = reader.parse(text)
    for token in tokens:
        if token.tag in ("h1", "h2", "h3", "h4"):
            token.tag = "h5" if token.tag == "h4" else "h4"
        depth: list[bool] = []
        for inner in token.children or ():
            if inner.type == "link_open":
                depth.append(str(inner.attrGet("href")).startswith(OUTSIDE))
            if inner.type in ("link_open", "link_close"):
                inner.tag = inner.tag if depth[-1] else "span"  # a file beside the card is not beside the page
                if not depth[-1]:
                    inner.attrs = {}
            if inner.type == "link_close":
                depth.pop()
    return Markup(reader.renderer.render(tokens, reader.options, {}))  # noqa: S704  (HTML in the text is escaped)
