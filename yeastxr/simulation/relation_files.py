"""Relations of TFs in YAML or JSON files: one parser for both, which reports the position of errors.

JSON is read as YAML, of which it is a subset except for two details; see :func:`_prepare`. This module uses the events
of the parser instead of its trees, so that it can reject aliases and limit the depth.
"""

import re
from collections.abc import Collection, Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from yeastxr._validate import check_path
from yeastxr.errors import InputError, format_value, suggest
from yeastxr.simulation.operators import MAX_DEPTH, And, Not, Or
from yeastxr.simulation.relation_text import RelationError, is_relation_text, list_known, parse_text, show_line

_MAX_BYTES = 64_000_000
_MAX_LEVELS = 2 * MAX_DEPTH + 2  # an object and a list for each operator, inside the list of a TF
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,999})")
_NO_LABEL = re.compile(r"|~|null|true|false|[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?", re.IGNORECASE)
_PAIR = re.compile(r"\\\\|\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})", re.IGNORECASE)
_OPERATORS = {"and": And, "or": Or, "not": Not}
_FORMS = 'a TF, a relation such as "A & !B", {and: [...]}, {or: [...]} or {not: ...}'
_QUOTES = "quotes around relations that begin with '!', '&', '|', '*' or a quote"


def read_relations(path: str | Path, *, tfs: Collection[Hashable] | None = None) -> dict[Hashable, list[Any]]:
    r"""Read relations of TFs from a YAML or a JSON file.

    The file contains an object that maps each TF to a condition, or to a list of conditions that must all hold. A
    condition is a TF, a relation as text (:func:`~yeastxr.parse_relation`), or ``{and: [...]}``, ``{or: [...]}`` or
    ``{not: ...}`` of conditions. In YAML, text that begins with ``!`` or ``&`` needs quotes.

    Parameters
    ----------
    path
        A file of at most 64 MB, in UTF-8.
    tfs
        The labels of all TFs; by default any label is valid. Text that equals a label is that TF, and an integer key is
        a name if only the name is a label.

    Returns
    -------
    dict
        A dict from TFs to lists of conditions, for ``tf_relationships`` of :func:`~yeastxr.simulate`.

    Raises
    ------
    InputError
        If the file can't be read, has another form, contains a duplicate or unknown TF, more than 100 levels of
        nesting, or YAML aliases. The message states the line and the column, and a note shows the line.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import yeastxr as yx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "relations.yaml")
    ...     _ = path.write_text("GAL4: GAL3 & !GAL80\nMIG1: [RAP1, {or: [GAL4, {not: GAL80}]}]")
    ...     yx.read_relations(path)
    {'GAL4': [And('GAL3', Not('GAL80'))], 'MIG1': ['RAP1', Or('GAL4', Not('GAL80'))]}
    """
    path = check_path("path", path)
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise InputError(f"path is {format_value(str(path))}, of {size:,} bytes; expected at most {_MAX_BYTES:,}")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = error.strerror or "can't be read"
        raise InputError(f"path is {format_value(str(path))}: {reason}; expected a file of relations") from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"path is {format_value(path.name)}, which is not UTF-8 at byte {error.start:,}; expected UTF-8 text"
        ) from None
    return _Reader(path.name, _prepare(text), list_known(tfs)).read()


def _prepare(text: str) -> str:
    """Convert JSON to text that YAML reads in the same way, without tabs between tokens and surrogate pairs."""
    if text.lstrip()[:1] in ("{", "["):
        text = text.replace("\t", " ")
    return _PAIR.sub(
        lambda match: bytes.fromhex(match[1] + match[2]).decode("utf-16-be") if match[1] else match[0],
        text,
    )


@dataclass(slots=True)
class _Node:
    """A text, a list of nodes, or an object as a list of pairs of nodes; its position, from 0; whether it is quoted."""

    kind: str
    value: Any
    line: int
    column: int
    quoted: bool = False


class _Reader:
    """The state of reading one file: its name and text, for messages, and the labels of TFs."""

    def __init__(self, name: str, text: str, known: Collection[Hashable] | None) -> None:
        self._name, self._text, self._known = name, text, known
        self._lines: list[int] | None = None

    def read(self) -> dict[Hashable, list[Any]]:
        """Return the relations of the file."""
        root = self._build_tree()
        if root.kind != "object":
            self._fail(root, "the file is not an object", "expected TFs with conditions, such as 'GAL4: GAL80'")
        relations: dict[Hashable, list[Any]] = {}
        for key, node in root.value:
            tf = self._read_key(key)
            if tf in relations:
                self._fail(key, f"duplicate TF {format_value(tf)}", "expected each TF once")
            nodes = node.value if node.kind == "list" else [node]
            relations[tf] = [self._read_condition(entry) for entry in nodes]
        return relations

    def _build_tree(self) -> _Node:
        """Return the one document of the file."""
        root = _Node("list", [], 0, 0)
        stack = [root]
        for event in self._list_events():
            kind, mark = type(event).__name__, event.start_mark
            node = _Node("text", "", mark.line, mark.column)
            if kind == "AliasEvent" or getattr(event, "anchor", None) is not None:
                what = "alias" if kind == "AliasEvent" else "anchor"
                self._fail(node, f"{event.anchor!r} is a YAML {what}", f"expected no {what}, or {_QUOTES}")
            if getattr(event, "tag", None) is not None:
                self._fail(node, f"{event.tag!r} is a YAML tag", f"expected no tags, or {_QUOTES}")
            if kind == "ScalarEvent":
                node.value, node.quoted = event.value, event.style not in (None, "")
            elif kind in ("SequenceStartEvent", "MappingStartEvent"):
                node.kind, node.value = ("list" if kind[0] == "S" else "object"), []
            elif kind in ("SequenceEndEvent", "MappingEndEvent"):
                stack.pop()
                continue
            elif kind == "DocumentStartEvent" and root.value:
                self._fail(node, "the file has a second document", "expected one")
            else:
                continue
            parent = stack[-1].value
            if stack[-1].kind == "list":
                parent.append(node)
            elif parent and parent[-1][1] is None:
                parent[-1] = (parent[-1][0], node)
            else:
                parent.append((node, None))
            if node.kind != "text":
                stack.append(node)
                if len(stack) > _MAX_LEVELS:
                    self._fail(
                        node, f"relations are nested more than {MAX_DEPTH} deep", f"expected at most {MAX_DEPTH}"
                    )
        return root.value[0] if root.value else _Node("text", "", 0, 0)

    def _list_events(self) -> Iterator[Any]:
        """Yield the events of the YAML parser, and convert its errors."""
        import yaml

        try:
            yield from yaml.parse(self._text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
            position = (mark.line, mark.column) if mark else self._split(getattr(error, "position", 0))
            problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "can't be read"
            self._fail(_Node("text", "", *position), f"{problem}", f"expected YAML or JSON, with {_QUOTES}")

    def _read_key(self, node: _Node) -> Hashable:
        """Return the TF of a key; in JSON, integer keys are quoted."""
        if node.kind != "text":
            self._fail(node, "a key is not a TF", "expected a name or an integer")
        label: Hashable = node.value
        if self._known is None or label not in self._known:
            if _INTEGER.fullmatch(node.value):
                label = int(node.value)
            elif not node.quoted and _NO_LABEL.fullmatch(node.value):
                self._fail(
                    node, f"{node.value!r} is not a TF", "expected an integer or a name, with quotes if necessary"
                )
        return self._check_known(node, label)

    def _read_condition(self, node: _Node) -> Any:
        """Return a condition: a label or a relation."""
        if node.kind == "text":
            return self._read_text(node)
        if node.kind == "list":
            self._fail(node, "a condition is a nested list", f"expected {_FORMS}")
        names = [key.value for key, _ in node.value if key.kind == "text"]
        if len(node.value) != 1 or names not in [[name] for name in _OPERATORS]:
            self._fail(node, "a condition is an object with other keys", f"expected {_FORMS}")
        [(_, value)] = node.value
        nodes = value.value if value.kind == "list" else [value]
        try:
            return _OPERATORS[names[0]](*map(self._read_condition, nodes))
        except _FileError:
            raise
        except InputError as error:
            problem, _, expected = str(error).partition("; ")
            self._fail(node, problem, expected)

    def _read_text(self, node: _Node) -> Any:
        """Parse text as the label of a TF or, if there is no such label, as a relation."""
        text, known = node.value, self._known
        if not node.quoted and _INTEGER.fullmatch(text) and (known is None or text not in known or int(text) in known):
            return self._check_known(node, int(text))
        if known is not None and text in known:
            return text
        if not node.quoted and _NO_LABEL.fullmatch(text):
            problem = f"a condition is {text!r}" if text else "a condition is empty"
            self._fail(node, problem, f"expected {_FORMS}" + ("" if text else ", or [] for no condition"))
        if not is_relation_text(text):
            return self._check_known(node, text)
        try:
            return parse_text(text, known)
        except RelationError as error:
            start = self._join(node.line, node.column) + node.quoted
            if self._text[start : start + len(text)] == text:  # in one line, and without escapes
                place = self._split(start + error.position)
                self._fail(_Node("text", "", *place), f"the relation {error.problem}", error.expected)
            problem, _, expected = str(error).partition("; ")
            self._fail(node, problem, expected)

    def _check_known(self, node: _Node, label: Hashable) -> Hashable:
        if self._known is not None and label not in self._known:
            self._fail(node, f"unknown TF {format_value(label)}", suggest(label, self._known))
        return label

    def _join(self, line: int, column: int) -> int:
        """Return the position of a line and a column (all from 0)."""
        if self._lines is None:
            self._lines = [0, *(match.end() for match in re.finditer("\n", self._text))]
        return self._lines[min(line, len(self._lines) - 1)] + column

    def _split(self, position: int) -> tuple[int, int]:
        """Return the line and the column of a position (all from 0)."""
        return self._text.count("\n", 0, position), position - self._text.rfind("\n", 0, position) - 1

    def _fail(self, node: _Node, problem: str, expected: str) -> NoReturn:
        """Raise an error that states the position of a node."""
        error = _FileError(f"{self._name}, line {node.line + 1}, column {node.column + 1}: {problem}; {expected}")
        error.add_note(show_line(self._text, self._join(node.line, node.column)))
        raise error


class _FileError(InputError):
    """The file is invalid; the message states the position."""
