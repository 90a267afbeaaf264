"""Check the built pages: internal links lead to a page and a place in it, and nothing is loaded from elsewhere.

``python docs/_ext/links.py docs/_build/html`` prints what is wrong, and ends with exit status 1 if anything is.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADED = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("source", "src")}


class Page(HTMLParser):
    """A page's links, places, and what a browser loads for it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record the links, places and files of a tag."""
        given = {name: value for name, value in attrs if value}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        relation = given.get("rel", "")
        self.loaded += [
            value
            for name, value in given.items()
            if (tag, name) in _LOADED and not (tag == "link" and relation in ("author", "canonical", "index", "search"))
        ]


def find_problems(folder: Path) -> list[str]:
    """Return a sentence for each link that leads nowhere, and for each thing loaded from elsewhere."""
    files = [file for file in sorted(folder.rglob("*.html")) if "_static" not in file.relative_to(folder).parts]
    pages = {file: Page(file.read_text(encoding="utf-8")) for file in files}
    problems = [] if pages else [f"{folder}: has no pages"]
    for file, page in pages.items():
        name = file.relative_to(folder)
        for link in page.links:
            url = urlsplit(link)
            if url.scheme or url.netloc:
                continue
            target = (file.parent / unquote(url.path)).resolve() if url.path else file
            if not target.is_file():
                problems.append(f"{name}: {link} leads to no page")
            elif url.fragment and target in pages and unquote(url.fragment) not in pages[target].places:
                problems.append(f"{name}: {link} leads to no place in its page")
        for link in page.loaded:
            url = urlsplit(link)
            if url.scheme not in ("", "data") or url.netloc:
                problems.append(f"{name}: loads {link} from elsewhere")
            elif url.scheme == "" and not (file.parent / unquote(url.path)).is_file():
                problems.append(f"{name}: loads {link}, which is not there")
    return problems


if __name__ == "__main__":
    wrong = find_problems(Path(sys.argv[1]).resolve())
    print("\n".join(wrong) or "All internal links lead somewhere, and nothing is loaded from elsewhere.")
    sys.exit(bool(wrong))
