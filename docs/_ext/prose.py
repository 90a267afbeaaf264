"""A linter for prose: finds phrases that were replaced by plain English, and says what to write instead.

``make lint`` runs ``python docs/_ext/prose.py FILES`` after codespell. Phrases may span lines.
"""

import re
import sys
from pathlib import Path

# Regular expressions in lower case, in which a space stands for any white space, and what to write instead.
PHRASES = {
    # Private words.
    "laws? of draws": "random-number scheme",
    "(house and rooms|rooms? of the house)": "package layout",
    "right dataset": "correct dataset",
    "planted faults?": "injected error",
    "whole stores?": "complete store",
    "dims? in front|dimensions? in front of them": "leading dimension",
    "asked for and found|expected and found|what was found": "expected and observed",
    "(was|were|is|are|been) asked (for|to be)": "specified",
    "told": "say what tells, in the active voice",
    "mend(s|ed)?": "repair",
    # Translated idioms.
    "the same,? bit for bit": "bit-identical",
    "(larger|bigger) than it": "out of core",
    "once in a thousand times": "about once in 1,000 runs",
    "is up to you": "make sure that",
    "mak(e|es|ing) (itself|it|them|the dataset|a dataset) again|made again": "regenerate",
    "where somebody looks": "in a terminal",
    "go(es)? before what": "override",
    "(is|are) taken up": "resume",
    "end(s|ed)? early": "is interrupted",
    "in so many": "number of",
    "a new place": "another path",
    "a marker is": "marker size",
    "when one can see": "if you can check",
    "each swept one": "each swept parameter",
    "what it is made of": "name the parts",
    "of one's own": "your own",
    "lead(s)? nowhere": "broken link",
    "nested at will": "nested to any depth",
    "without a word": "silently",
    "g[ai]ve out": "run out",
    "some [0-9][0-9,.]*": "about",
    "the (least|most) count": "the smallest, largest count",
    "(with|by|to) (a|the) chance": "with probability",
    "is there where": "exists if",
}


def find_problems(text: str) -> list[tuple[int, str, str]]:
    """Return line, phrase and advice for each phrase in a text that must not come back."""
    problems = []
    for phrase, advice in PHRASES.items():
        pattern = rf"\b(?:{phrase})\b".replace(" ", r"\s+")
        for match in re.finditer(pattern, text, re.IGNORECASE):
            line = text.count("\n", 0, match.start()) + 1
            problems.append((line, " ".join(match[0].split()), advice))
    return sorted(problems)


def main(files: list[str]) -> int:
    """Print the problems of the files, and return the exit status."""
    problems = [
        f"{file}:{line}: {phrase!r}; write: {advice}"
        for file in files
        if Path(file).resolve() != Path(__file__).resolve()
        for line, phrase, advice in find_problems(Path(file).read_text(encoding="utf-8"))
    ]
    print("\n".join(problems) or f"{len(files)} files without phrases of the list")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
