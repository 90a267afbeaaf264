"""Recognition of columns, by names used in the field and names given by users."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from yeastxr.errors import InputError, InputTypeError, format_value, shorten, suggest
from yeastxr.schema import BACKGROUND_HOPS, EXPERIMENT_HOPS, GENE, LABEL, TF

BINDING_TABLE, PERTURBATION_TABLE = "binding", "perturbation"
TABLES = (BINDING_TABLE, PERTURBATION_TABLE)
EFFECT, PVALUE = "effect", "pvalue"

LABEL_COLUMNS: dict[str, tuple[str, ...]] = {
    GENE: ("target_locus_tag", "target_symbol", GENE),
    TF: ("regulator_locus_tag", "regulator_symbol", TF),
}
_EFFECTS = ("log2fc", "log2_shrunken_timecourses", "M")
VALUE_COLUMNS: dict[str, dict[str, tuple[str, ...]]] = {
    BINDING_TABLE: {
        EFFECT: ("binding_effect", "callingcards_enrichment", EFFECT, *_EFFECTS),
        PVALUE: ("binding_pvalue", "poisson_pval", "hypergeometric_pval", "pvalue", "pval"),
        EXPERIMENT_HOPS: (EXPERIMENT_HOPS,),
        BACKGROUND_HOPS: (BACKGROUND_HOPS,),
        LABEL: (LABEL,),
    },
    PERTURBATION_TABLE: {
        EFFECT: ("perturbation_effect", EFFECT, *_EFFECTS),
        PVALUE: ("perturbation_pvalue", "pvalue", "pval"),
    },
}
"""The recognized columns by table and quantity; the first one in a table is used."""

LOG2 = "log2 fold change"
UNITS = {"callingcards_enrichment": "1", **dict.fromkeys(_EFFECTS, LOG2)}
UNKNOWN_UNITS = "arbitrary units"


@dataclass(frozen=True)
class Header:
    """The name of a table in messages, and its columns."""

    name: str
    columns: Sequence[str]

    def check(self, column: str) -> str:
        """Return a column's name, or raise if it is missing or duplicated."""
        times = list(self.columns).count(column)
        if times == 1:
            return column
        if times > 1:
            raise InputError(f"{self.name} has {times} columns {column!r}; expected unique names")
        hint = suggest(column, self.columns)
        hint = f" ({hint})" if hint.startswith("did you mean") else ""
        raise InputError(f"{self.name} has no column {format_value(column)}{hint}; {self.list_columns()}")

    def refuse(self, holds: str, argument: str, usual: Collection[str]) -> InputError:
        """Return the error for a table without a recognized column, with the most similar name."""
        hints = [suggest(name, self.columns) for name in usual]
        near = next((f" ({hint})" for hint in hints if hint.startswith("did you mean")), "")
        return InputError(
            f"{self.name} has no recognized column of {holds}, such as {', '.join(usual)}; pass its name as {argument}"
            f"{near}; {self.list_columns()}"
        )

    def list_columns(self) -> str:
        """Return the names of the columns for a message."""
        names = shorten(", ".join(format_value(name, 40) for name in self.columns), 300)
        if len(self.columns) == 1:
            return f"its only column is {names}, so its delimiter may be different"
        return f"its columns are {names}"


def split_by_table(name: str, value: object) -> dict[str, str | None]:
    """Return the value of an argument for each table, from a string or a dict by table."""
    if value is None or isinstance(value, str):
        return dict.fromkeys(TABLES, value)
    allowed = "a string, or a dict with strings for 'binding' or 'perturbation'"
    if not isinstance(value, Mapping):
        raise InputTypeError(f"{name} is {format_value(value)}; expected {allowed}")
    for table, text in value.items():
        if table not in TABLES:
            raise InputError(f"{name} has the unknown key {format_value(table)}; {suggest(table, TABLES)}")
        if not isinstance(text, str):
            raise InputTypeError(f"{name}[{table!r}] is {format_value(text)}; expected a string")
    return {table: value.get(table) for table in TABLES}


def choose_label_columns(
    argument: str, given: Mapping[str, str | None], headers: Mapping[str, Header], optional: Collection[str]
) -> dict[str, str | None]:
    """Return the column of genes, or of TFs, of each table.

    Recognized columns of both tables have priority, so that a table of locus tags and symbols matches a table of
    symbols. Return None for a table in ``optional`` without such a column.
    """
    usual = LABEL_COLUMNS[argument]
    known = {table: [name for name in usual if name in header.columns] for table, header in headers.items()}
    free = {table: names for table, names in known.items() if not given.get(table)}
    shared = [name for name in usual if all(name in names for names in free.values() if names)]
    chosen: dict[str, str | None] = {}
    for table, header in headers.items():
        name = given.get(table)
        if name:
            chosen[table] = header.check(name)
        elif known[table]:
            chosen[table] = header.check(next((name for name in shared if name in known[table]), known[table][0]))
        elif table in optional:
            chosen[table] = None
        else:
            raise header.refuse(f"{argument if argument == GENE else argument.upper()}s", f"{argument}=", usual)
    return chosen


def choose_value_columns(table: str, given: Mapping[str, str | None], header: Header) -> dict[str, str]:
    """Return the column of each quantity that a table has."""
    chosen, taken = {}, set(given.values())
    for quantity, usual in VALUE_COLUMNS[table].items():
        name = given.get(quantity)
        if name:
            chosen[quantity] = header.check(name)
        else:
            known = [name for name in usual if name in header.columns and name not in taken]
            if known:
                chosen[quantity] = header.check(known[0])
    if EFFECT not in chosen and PVALUE not in chosen:
        raise header.refuse("effects or p-values", "effect= or pvalue=", VALUE_COLUMNS[table][EFFECT][1:])
    return chosen
