"""The map of the house, drawn from the imports: ``python docs/_ext/house.py`` writes docs/house.svg and docs/house.md.

Rows are the layers of the import-linter contract. An arrow goes from a room to one that it imports; those that follow
from others are left out. A test compares the committed map with what is drawn now.
"""

import ast
import tomllib
from pathlib import Path

import grimp

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"

_BOX, _GAP, _ROW, _TEXT = 26, 14, 62, 7.4  # height of a box, space between, distance of rows, width of a letter
_COLOURS = ("#cfe8f7", "#fdecc8")
_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">
<title>The rooms of yeastxr, and what they import</title>
<style>
path {{ fill: none; stroke: #7a8794; stroke-opacity: 0.55; marker-end: url(#tip) }}
rect {{ stroke: #5b6670 }}
text {{ font: 12px monospace; text-anchor: middle; fill: #1c2329 }}
</style>
<defs><marker id="tip" viewBox="0 0 6 6" refX="5" refY="3" markerWidth="6" markerHeight="6" orient="auto">
<path d="M0 0 6 3 0 6z" style="fill: #7a8794; stroke: none; marker-end: none"/></marker></defs>
<rect width="{width}" height="{height}" fill="#ffffff" style="stroke: none"/>
{body}
</svg>
"""
_PAGE = """\
# The map of the house

Made from the imports by `python docs/_ext/house.py`; a test compares the two. Rows are the layers of the contract in
`pyproject.toml`, which `make lint` enforces: imports point down. Arrows that follow from others are left out.

![The rooms of yeastxr and what they import; the table below says the same](house.svg)

Heavy packages load when they are first used: `import yeastxr` loads none of them.

| room | what it does | imports | heavy packages |
|---|---|---|---|
{rows}
"""
_HEAVY = {"bokeh", "dask", "distributed", "holoviews", "lightning", "numba", "scipy", "torch", "zarr"}


def layers() -> list[list[str]]:
    """Return the rows of the house, the highest first, as the contract has them."""
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    return [[name.strip().removeprefix("yeastxr.") for name in row.split(":")] for row in contract[0]["layers"]]


def imports() -> dict[str, set[str]]:
    """Return which rooms each room imports."""
    graph = grimp.build_graph("yeastxr", cache_dir=None)
    rooms = {name for name in graph.modules if name != "yeastxr"}
    short = {name: name.removeprefix("yeastxr.") for name in rooms}
    return {
        short[room]: {short[other] for other in graph.find_modules_directly_imported_by(room) if other in rooms}
        for room in sorted(rooms)
    }


def reduced(edges: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return the imports that do not follow from others."""
    below: dict[str, set[str]] = {}

    def reach(room: str) -> set[str]:
        if room not in below:
            below[room] = set().union(*({other} | reach(other) for other in edges[room]))
        return below[room]

    return {
        room: {other for other in others if not any(other in reach(third) for third in others - {other})}
        for room, others in edges.items()
    }


def drawn() -> str:
    """Return the map as SVG."""
    rows = [row for row in layers() if row]
    sizes = {room: len(room) * _TEXT + 18 for row in rows for room in row}
    width = max(sum(sizes[room] + _GAP for room in row) for row in rows) + _GAP
    places: dict[str, tuple[float, float]] = {}
    for i, row in enumerate(rows):
        x = (width - sum(sizes[room] + _GAP for room in row) + _GAP) / 2
        for room in row:
            places[room] = (x, 12 + i * _ROW)
            x += sizes[room] + _GAP
    height = 24 + (len(rows) - 1) * _ROW + _BOX
    lines = []
    for room, others in sorted(reduced(imports()).items()):
        for other in sorted(others):
            (x0, y0), (x1, y1) = places[room], places[other]
            x0, x1, y0 = x0 + sizes[room] / 2, x1 + sizes[other] / 2, y0 + _BOX
            bend = (y1 - y0) / 2
            lines.append(
                f'<path d="M{x0:.0f} {y0} C{x0:.0f} {y0 + bend:.0f} {x1:.0f} {y1 - bend:.0f} {x1:.0f} {y1 - 3}"/>'
            )
    boxes = []
    for i, row in enumerate(rows):
        for room in row:
            (x, y), size = places[room], sizes[room]
            boxes.append(
                f"<g><title>{room}: {_about(room)}</title>"
                f'<rect x="{x:.0f}" y="{y}" width="{size:.0f}" height="{_BOX}" rx="5" fill="{_COLOURS[i % 2]}"/>'
                f'<text x="{x + size / 2:.0f}" y="{y + 17}">{room}</text></g>'
            )
    return _SVG.format(width=round(width), height=height, body="\n".join([*lines, *boxes]))


def page() -> str:
    """Return the page with the map and a table of the rooms, from the highest to the lowest."""
    edges = imports()
    rows = [
        f"| `{room}` | {_about(room)} | {', '.join(f'`{name}`' for name in sorted(edges[room])) or '–'} "
        f"| {', '.join(sorted(_heavy(room))) or '–'} |"
        for row in layers()
        for room in row
    ]
    return _PAGE.format(rows="\n".join(rows))


def _source(room: str) -> ast.Module:
    return ast.parse((ROOT / "yeastxr" / f"{room}.py").read_text(encoding="utf-8"))


def _about(room: str) -> str:
    """Return the first sentence of a room's docstring, as plain text."""
    text = " ".join((ast.get_docstring(_source(room)) or "its version.").split("\n\n")[0].split())
    first = text.split(". ")[0].rstrip(".")
    return first.replace("``", "").replace("|", "/").replace("&", "and").replace("<", "").replace(">", "")


def _heavy(room: str) -> set[str]:
    """Return the heavy packages that a room imports, anywhere in it but for type checking."""
    found = set()
    tree = _source(room)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            node.body.clear()
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        found |= {name.split(".")[0] for name in names}
    return found & _HEAVY


def write() -> None:
    """Write the map."""
    (DOCS / "house.svg").write_text(drawn(), encoding="utf-8")
    (DOCS / "house.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    write()
