"""The gallery: every example is run, and gets a page with its pictures, its code and what it printed.

An example's docstring is the text of its page. It runs in a folder of its own and leaves its pictures there; the first
one, by name, is its thumbnail.
"""

import ast
import hashlib
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_RUN = "printed.txt"  # what a run leaves last
_AT_ONCE = 2  # scripts, each with one thread: more would wait for each other
_LONGEST = 900  # s of a script, on a busy machine


def write(examples: Path, folder: Path) -> None:
    """Run the examples whose code, or the package's, has changed, and write their pages."""
    folder.mkdir(parents=True, exist_ok=True)
    scripts = sorted(examples.glob("*.py"), key=lambda script: len(script.read_text(encoding="utf-8")))  # short first
    package = b"".join(file.read_bytes() for file in sorted((examples.parent / "yeastxr").glob("*.py")))
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        runs = list(threads.map(lambda script: _run(script, folder.parent / "_build" / "gallery", package), scripts))
    cards, names = [], []
    for script, run in zip(scripts, runs, strict=True):
        title = script.stem.replace("_", " ").capitalize().replace("tfs", "TFs")
        about = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""
        pictures = []
        for picture in sorted(run.glob("*.png")):
            shutil.copyfile(picture, folder / picture.name)
            pictures.append(picture.name)
        shown = "".join(f"```{{image}} {name}\n:alt: Plot of {script.name}\n```\n\n" for name in pictures)
        printed = (run / _RUN).read_text(encoding="utf-8")
        _write(
            folder / f"{script.stem}.md",
            f"# {title}\n\n{about}\n\n{shown}```{{literalinclude}} ../../examples/{script.name}\n```\n\n"
            f"Output:\n\n```text\n{printed}```\n",
        )
        names.append(script.stem)
        first = about.split("\n\n")[0].replace("\n", " ")
        cards.append(
            f":::{{grid-item-card}} {title}\n:link: {script.stem}\n:link-type: doc\n:img-top: {pictures[0]}\n"
            f":img-alt: {title}\n\n{first}\n:::\n"
        )
    grid = "".join(f"\n{card}" for card in cards)
    _write(
        folder / "index.md",
        "# Gallery\n\nShort example scripts with their plots. They are in `examples/`, and the tests run them.\n\n"
        f"::::{{grid}} 1 2 2 3\n:gutter: 3\n{grid}\n::::\n\n"
        "```{toctree}\n:hidden:\n\n" + "\n".join(names) + "\n```\n",
    )


def _run(script: Path, runs: Path, package: bytes) -> Path:
    """Run a script in a folder of its own, unless the same code did so before, and return the folder."""
    code = hashlib.sha256(package + script.read_bytes()).hexdigest()[:16]
    folder = runs / f"{script.stem}-{code}"
    if (folder / _RUN).is_file():
        return folder
    for old in runs.glob(f"{script.stem}-*"):
        shutil.rmtree(old)
    folder.mkdir(parents=True)
    paths = [str(script.parent.parent), os.environ.get("PYTHONPATH", "")]
    settings = {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "MPLBACKEND": "agg",
        "COLUMNS": "110",
        "OMP_NUM_THREADS": "1",
        "YEASTXR_THREADS": "1",
    }
    print(f"running {script.name}", flush=True)
    try:
        ended = subprocess.run(
            [sys.executable, str(script)],
            cwd=folder,
            env=os.environ | settings,
            capture_output=True,
            text=True,
            check=False,
            timeout=_LONGEST,
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{script.name} runs for more than {_LONGEST} s; expected at most a minute") from None
    if ended.returncode:
        raise RuntimeError(f"{script.name} failed:\n{ended.stderr}")
    if not any(folder.glob("*.png")):
        raise RuntimeError(f"{script.name} drew nothing; expected a PNG in the folder where it runs")
    for store in folder.glob("*.zarr"):
        shutil.rmtree(store)
    (folder / _RUN).write_text(ended.stdout, encoding="utf-8")
    return folder


def _write(path: Path, text: str) -> None:
    """Write a page unless it is so already: Sphinx reads again what is newer."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
