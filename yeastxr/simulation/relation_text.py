"""Relations of TFs as text, such as ``(GAL4 & !GAL80) | RAP1``: a recursive descent parser without evaluation.

The grammar, loosest first::

    any     = all ("|" all)*
    all     = operand ("&" operand)*
    operand = "!" operand | "(" any ")" | ("And" | "Or") "(" any ("," any)* ")" | TF

``~`` and ``not`` are ``!``, ``and`` is ``&``, ``or`` is ``|``; words in any case.
"""

import re
from collections.abc import Collection, Hashable, Iterator
from typing import Any, NamedTuple, NoReturn

from yeastxr._validate import check_sequence
from yeastxr.errors import InputError, InputTypeError, format_value, suggest
from yeastxr.simulation.operators import (
    BARE_NAME,
    MAX_DEPTH,
    MAX_TERMS,
    WORDS,
    And,
    Not,
    Or,
    Relation,
    to_label,
)

_MAX_LETTERS = 10_000_000
_TOKEN = re.compile(
    r"(?P<space>\s+)"
    r'|(?P<quoted>"(?:[^"\\]|\\.)*"|' + r"'(?:[^'\\]|\\.)*')"
    rf"|(?P<name>{BARE_NAME.pattern})"
    r"|(?P<number>-?\d[\w.:-]*)"
    r"|(?P<symbol>[()&|!~,])",
    re.DOTALL,
)
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,999})")
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "'": "'"}
_RELATION = re.compile(r"[&|!~()'\"]|\b(?:and|or|not)\b", re.IGNORECASE)
_SYMBOLS = {"~": "!", **WORDS}
_OPERAND = "a TF, '!' or '('"
_WINDOW = 60  # characters that a note shows on either side of an error


class _Token(NamedTuple):
    """A token: its type (TF, symbol or end), its label if it is a TF, and its position."""

    kind: str
    label: Hashable
    start: int
    end: int


def is_relation_text(text: str) -> bool:
    """Return whether a text contains an operator or quotes, so that it is a relation and not a plain name."""
    return _RELATION.search(text) is not None


def parse_relation(text: str, *, tfs: Collection[Hashable] | None = None) -> And | Or | Not:
    r"""Parse a relation.

    ``!`` binds tighter than ``&``, and ``&`` tighter than ``|``; parentheses group. ``~`` and ``not`` mean ``!``,
    ``and`` means ``&``, ``or`` means ``|``, in upper or lower case. A TF is an integer or a name. A name consists of
    letters, digits, ``_``, ``.``, ``:`` and ``-``, and begins with a letter or ``_``. All other names, such as ``"12"``
    and ``"not"``, need single or double quotes; within quotes, ``\`` escapes as in Python.

    Parameters
    ----------
    text
        The text, with at most 100,000 TFs and 100 levels of nesting, on one or more lines. It may be the ``str`` or the
        ``repr`` of a relation.
    tfs
        The labels of all TFs; by default any label is valid. A number without quotes is a name if only the name is a
        label.

    Returns
    -------
    And, Or or Not
        The relation; for a single TF, ``And`` of that TF. Consecutive equal operators form one relation; parentheses
        start a new one.

    Raises
    ------
    InputError
        If the text is not a relation, or names an unknown TF. The message states the character, from 1, or the line and
        the column if there are several lines, and a note shows the line.

    Examples
    --------
    >>> import yeastxr as yx
    >>> relation = yx.parse_relation("(GAL4 & !GAL80) | RAP1")
    >>> relation
    Or(And('GAL4', Not('GAL80')), 'RAP1')
    >>> str(relation)
    '(GAL4 & !GAL80) | RAP1'
    >>> yx.parse_relation("not 'MF(ALPHA)1' and 12")
    And(Not('MF(ALPHA)1'), 12)
    """
    if not isinstance(text, str):
        raise InputTypeError(f"text is {format_value(text)}; expected a relation such as 'GAL4 & !GAL80'")
    if len(text) > _MAX_LETTERS:
        raise InputError(f"text has {len(text):,} characters; expected at most {_MAX_LETTERS:,}")
    return parse_text(text, list_known(tfs))


def list_known(tfs: Any) -> dict[Hashable, None] | None:
    """Return the labels of TFs as the keys of a dict, in order; None if any label is valid."""
    return None if tfs is None else dict.fromkeys(map(to_label, check_sequence("tfs", tfs, "a list of labels of TFs")))


def parse_text(text: str, known: Collection[Hashable] | None) -> Any:
    """Parse a relation of the given TFs."""
    return _Parser(text, known).parse()


class RelationError(InputError):
    """A text is not a relation; holds the position, from 0, and both halves of the message."""

    position: int
    problem: str
    expected: str


def locate(text: str, position: int) -> tuple[int, int]:
    """Return the line and the column of a position, both from 1."""
    return text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)


def show_line(text: str, position: int) -> str:
    """Return the line of a position, or part of a long line, with a caret below."""
    start = max(text.rfind("\n", 0, position) + 1, position - _WINDOW)
    end = text.find("\n", position)
    line = text[start : min(len(text) if end < 0 else end, position + _WINDOW)]
    return f"  {''.join(c if c.isprintable() else ' ' for c in line)}\n  {' ' * (position - start)}^"


class _Parser:
    """The state of parsing one text: its tokens, the current token, and the number of TFs so far."""

    def __init__(self, text: str, known: Collection[Hashable] | None) -> None:
        self._text, self._known = text, known
        self._tokens = self._scan()
        self._end = _Token("end", None, len(text), len(text))
        self._token = next(self._tokens, self._end)
        self._n_terms = 0

    def parse(self) -> Any:
        """Parse the complete text."""
        entry = self._parse_any(0)
        if self._token.kind != "end":
            self._refuse_token("expected '&', '|' or the end of the text")
        return entry if isinstance(entry, Relation) else And(entry)

    def _scan(self) -> Iterator[_Token]:
        """Yield the tokens of the text, without the end."""
        position = 0
        while position < len(self._text):
            match = _TOKEN.match(self._text, position)
            if match is None:
                letter = self._text[position]
                if letter in "'\"":
                    self._fail(f"has {letter} without a closing quote", "expected quotes around a name", position)
                self._fail(f"has {format_value(letter)}", f"expected {_OPERAND}, or quotes around a name", position)
            part, start, position = match[0], position, match.end()
            if match.lastgroup == "space":
                continue
            if match.lastgroup == "symbol" or part.lower() in WORDS:
                yield _Token(_SYMBOLS.get(part.lower(), part), None, start, position)
            else:
                yield _Token("TF", self._read_label(match.lastgroup, part, start), start, position)

    def _read_label(self, kind: str | None, part: str, start: int) -> Hashable:
        """Return the label of a token, or raise if it is unknown."""
        label: Hashable = part
        if kind == "quoted":
            label = _ESCAPE.sub(lambda match: self._unescape(match, start + 1), part[1:-1])
        elif kind == "number":
            integer = int(part) if _INTEGER.fullmatch(part) else None
            is_name = self._known is not None and part in self._known and integer not in self._known
            if integer is None and not is_name:
                self._fail(f"has {format_value(part, 40)}", "expected an integer, or quotes around a name", start)
            label = part if is_name else integer
        if self._known is not None and label not in self._known:
            self._fail(f"names the TF {format_value(label)}, which is unknown", suggest(label, self._known), start)
        return label

    def _unescape(self, match: re.Match[str], start: int) -> str:
        """Return the character of an escape sequence."""
        digits = match[1] or match[2] or match[3]
        if digits and int(digits, 16) <= 0x10FFFF:
            return chr(int(digits, 16))
        if match[4] not in _ESCAPED:
            expected = "expected \\\\ for a backslash"
            self._fail(f"has the escape {match[0]}", expected, start + match.start())
        return _ESCAPED[match[4]]

    def _advance(self) -> _Token:
        """Return the current token, and move to the next one."""
        token = self._token
        self._token = next(self._tokens, self._end)
        return token

    def _parse_any(self, level: int) -> Any:
        """Parse operands separated by ``|``."""
        return self._parse_joined("|", Or, self._parse_all, level)

    def _parse_all(self, level: int) -> Any:
        """Parse operands separated by ``&``."""
        return self._parse_joined("&", And, self._parse_operand, level)

    def _parse_joined(self, symbol: str, operator: type[Relation], parse: Any, level: int) -> Any:
        start = self._token.start
        entries = [parse(level)]
        while self._token.kind == symbol:
            self._advance()
            entries.append(parse(level))
        return entries[0] if len(entries) == 1 else self._build(operator, entries, start)

    def _parse_operand(self, level: int) -> Any:
        """Parse a TF, a negation or parentheses."""
        token = self._token
        if level > MAX_DEPTH:
            self._fail(f"has more than {MAX_DEPTH} levels", f"expected at most {MAX_DEPTH}", token.start)
        if token.kind == "!":
            self._advance()
            return self._build(Not, [self._parse_operand(level + 1)], token.start)
        if token.kind == "(":
            return self._parse_parentheses(level)[0]
        word = self._text[token.start : token.end].lower()
        if word in ("and", "or"):
            self._advance()
            if self._token.kind == "(":  # And(...) or Or(...)
                operator = And if word == "and" else Or
                return self._build(operator, self._parse_parentheses(level, several=True), token.start)
        if token.kind != "TF":
            self._refuse_token(f"expected {_OPERAND}", token)
        self._n_terms += 1
        if self._n_terms > MAX_TERMS:
            self._fail(f"has more than {MAX_TERMS:,} TFs", f"expected at most {MAX_TERMS:,}", token.start)
        return self._advance().label

    def _parse_parentheses(self, level: int, *, several: bool = False) -> list[Any]:
        """Parse parentheses; several operands are separated by commas."""
        start = self._advance().start
        entries = [self._parse_any(level + 1)]
        while several and self._token.kind == ",":
            self._advance()
            entries.append(self._parse_any(level + 1))
        if self._token.kind == "end":
            self._fail("has a '(' without a ')'", "expected ')' after the operands", start)
        if self._token.kind != ")":
            self._refuse_token("expected '&', '|', ',' or ')'" if several else "expected '&', '|' or ')'")
        self._advance()
        return entries

    def _build(self, operator: type[Relation], entries: list[Any], start: int) -> Relation:
        """Create a relation; errors state where it begins."""
        try:
            return operator(*entries)
        except InputError as error:
            self._fail("can't be made", str(error), start)

    def _refuse_token(self, expected: str, token: _Token | None = None) -> NoReturn:
        token = self._token if token is None else token
        part = format_value(self._text[token.start : token.end], 40)
        self._fail("ends" if token.kind == "end" else f"has {part}", expected, token.start)

    def _fail(self, problem: str, expected: str, position: int) -> NoReturn:
        line, column = locate(self._text, position)
        place = f"line {line}, column {column}" if "\n" in self._text else f"character {column}"
        error = RelationError(f"the relation {problem} at {place}; {expected}")
        error.position, error.problem, error.expected = position, problem, expected
        error.add_note(show_line(self._text, position))
        raise error
