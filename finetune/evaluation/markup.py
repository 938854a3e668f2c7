"""HTML and SVG elements whose texts are escaped, whatever they say."""

from __future__ import annotations

import html

VOID = frozenset(["img", "meta", "br"])


class Html(str):
    """Markup; any other text is escaped on its way into an element."""

    __slots__ = ()


def element(tag: str, *children: str, **attributes: str | float) -> Html:
    """An element with its children: `Html` goes in as it is, other texts are escaped.

    Args:
        tag: Its name.
        children: In their order.
        attributes: By name, with "_" for "-", and one at the end dropped (`class_`); floats are
            rounded to two decimals.
    """
    given = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{html.escape(_shown(value))}"'
        for name, value in attributes.items()
    )
    if tag in VOID:
        return Html(f"<{tag}{given}>")
    return Html(f"<{tag}{given}>{joined(*children)}</{tag}>")


def joined(*children: str) -> Html:
    """Children one after the other, without an element around them."""
    return Html("".join(c if isinstance(c, Html) else html.escape(c) for c in children))


def _shown(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
