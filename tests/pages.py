"""The pages of the documentation as tests see them: blocks that run, what they print, commands and links."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
MADE = ("_build", "gallery", "reference")  # folders of pages that are made when the site is built


def pages() -> list[Path]:
    """Return README and the pages that are written by hand."""
    written = [page for page in DOCS.rglob("*.md") if page.relative_to(DOCS).parts[0] not in MADE]
    return [ROOT / "README.md", *sorted(written)]


def name_of(page: Path) -> str:
    """Return what to call a page in messages."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def cells(page: Path) -> list[str]:
    """Return the code of a notebook's cells, but for those that only set up its display."""
    code = [cell.replace(":tags: [remove-cell]", "#hidden") for cell in blocks(page, r"{code-cell} python")]
    return [cell for cell in code if not cell.startswith("#hidden")]


def commands(page: Path) -> list[str]:
    """Return the lines of shell blocks that call yeastxr."""
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith("yeastxr ")]


def links(page: Path) -> list[str]:
    """Return the targets of a page's links and pictures within the repository."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"`[^`\n]+`", "", text)
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    return [target for target in targets if "://" not in target]
