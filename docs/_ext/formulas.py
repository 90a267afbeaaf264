"""Formulas as SVG drawn by matplotlib: pages need no script, font or network for them; they take the text's colour."""

import html
import io
import re
import zlib
from typing import Any

from docutils import nodes
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import math_to_image
from sphinx.application import Sphinx

_SIZE = 12.0  # points, to which the picture's size in ems is in proportion


def svg(tex: str) -> str:
    """Return a formula as an inline SVG element, its size in ems and its TeX as the text for screen readers."""
    file = io.BytesIO()
    depth = math_to_image(f"${tex}$", file, prop=FontProperties(size=_SIZE, math_fontfamily="stix"), format="svg")
    drawn = file.getvalue().decode()
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    width, height = (float(re.search(rf'{side}="([\d.]+)pt"', drawn)[1]) / _SIZE for side in ("width", "height"))
    box = re.search(r'viewBox="[^"]+"', drawn)[0]
    # Names within a picture are unique in it alone; several pictures share one page.
    prefix = f"f{zlib.crc32(tex.encode()):x}-"
    body = drawn[drawn.index(">") + 1 :].replace('id="', f'id="{prefix}').replace('href="#', f'href="#{prefix}')
    body = re.sub(r'<g id="[^"]*patch_1">.*?</g>', "", body, count=1, flags=re.DOTALL)  # the white ground
    body = body.replace('clip-path="url(#', f'clip-path="url(#{prefix}')
    style = f"width:{width:.3f}em;height:{height:.3f}em;vertical-align:{-depth / _SIZE:.3f}em"
    label = html.escape(tex, quote=True)
    return (
        f'<svg class="formula" role="img" aria-label="{label}" style="{style}" {box} fill="currentColor">{body.strip()}'
    )


def _inline(translator: Any, node: nodes.math) -> None:
    translator.body.append(svg(node.astext()))
    raise nodes.SkipNode


def _display(translator: Any, node: nodes.math_block) -> None:
    tex = node.astext().replace("\\frac", "\\dfrac")
    parts = [svg(line) for line in tex.split("\\\\") if line.strip()]
    translator.body.append("".join(f'<div class="formula-block">{part}</div>' for part in parts))
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx how formulas are written."""
    app.add_html_math_renderer("drawn", (_inline, None), (_display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
