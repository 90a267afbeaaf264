"""Tables made from the code: the data model from ``schema.FEATURES``, and the parameters of a simulation."""

import re
from dataclasses import fields
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from yeastxr import FEATURES, SimulationSpec
from yeastxr.schema import EXTRAS


def feature_rows() -> list[tuple[str, ...]]:
    """Return the data model as rows of text, the head first."""
    rows: list[tuple[str, ...]] = [("column", "variable", "dtype", "units", "range", "meaning")]
    for column, feature in enumerate(FEATURES):
        ends = "True, False" if feature.dtype == bool else f"[{feature.least:g}, {feature.most:g}]".replace("inf", "∞")
        rows.append((str(column), feature.name, str(feature.dtype), feature.units, ends, feature.description))
    return rows


def extra_rows() -> list[tuple[str, ...]]:
    """Return the extra variables of the data model as rows of text, the head first."""
    return [("variable", "dtype", "meaning"), *((extra.name, str(extra.dtype), extra.description) for extra in EXTRAS)]


def parameter_rows() -> list[tuple[str, ...]]:
    """Return name, default and meaning of each parameter of a simulation, as its docstring gives it."""
    listed = re.search(r"Parameters\n\s+-+\n(.*?)\n\s*Raises", SimulationSpec.__doc__ or "", re.DOTALL)
    meaning: dict[str, str] = {}
    names: list[str] = []
    for line in listed[1].splitlines() if listed else ():
        if re.match(r"    \w", line):
            names = [name.strip() for name in line.split(",")]
        else:
            meaning |= {name: f"{meaning.get(name, '')} {line.strip()}".strip() for name in names}
    known = {field.name: field.default for field in fields(SimulationSpec)}
    rows: list[tuple[str, ...]] = [("parameter", "default", "meaning")]
    for name, text in meaning.items():  # step by step, as the docstring has them; dataclasses inherit in another order
        stated = isinstance(known[name], int | float | tuple | str)
        default = "required" if name in ("genes", "bound") else repr(known[name]) if stated else "none"
        rows.append((name, default, text.replace("``", "")))
    return rows


class _Table(Directive):
    rows: ClassVar = staticmethod(feature_rows)
    literal: ClassVar[tuple[int, ...]] = (1, 2)

    def run(self) -> list[nodes.Node]:
        head, *rows = self.rows()
        group = nodes.tgroup(cols=len(head))
        group += [nodes.colspec(colwidth=1) for _ in head]
        group += nodes.thead("", self._row(head, ()))
        group += nodes.tbody("", *(self._row(row, self.literal) for row in rows))
        return [nodes.table("", group)]

    @staticmethod
    def _row(texts: tuple[str, ...], literal: tuple[int, ...]) -> nodes.row:
        styles = [nodes.literal if i in literal else nodes.inline for i in range(len(texts))]
        cells = [nodes.paragraph("", "", style("", text)) for style, text in zip(styles, texts, strict=True)]
        return nodes.row("", *(nodes.entry("", cell) for cell in cells))


class _Parameters(_Table):
    rows: ClassVar = staticmethod(parameter_rows)
    literal: ClassVar[tuple[int, ...]] = (0, 1)


class _Extras(_Table):
    rows: ClassVar = staticmethod(extra_rows)
    literal: ClassVar[tuple[int, ...]] = (0, 1)


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directives ``features-table``, ``extras-table`` and ``parameters-table``."""
    app.add_directive("extras-table", _Extras)
    app.add_directive("features-table", _Table)
    app.add_directive("parameters-table", _Parameters)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
