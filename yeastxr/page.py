"""The frame of a page that loads nothing: its style, its few scripts, and the figures' own."""

import html
from typing import Any

from yeastxr.elements import embedded


def page(title: str, sections: list[str], figures: list[Any], details: str) -> str:
    """Return a page: sections are HTML, figures bokeh's; the title is text.

    Parameters
    ----------
    title
        The page's title.
    sections
        What comes before the figures.
    figures
        Bokeh figures, as wide as the page allows.
    details
        What comes behind them.
    """
    scripts, places = embedded(figures)
    pictures = "\n".join(f'<div class="picture">{place}</div>' for place in places)
    title = html.escape(title)
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{STYLE}</style>
{scripts}
</head>
<body>
<main>
<h1>{title}</h1>
{"".join(sections)}
<section><h2>Pictures</h2>
<div class="pictures">
{pictures}
</div>
</section>
{details}
</main>
<script>
{SCRIPT}</script>
</body>
</html>
"""


def copied(text: str, what: str) -> str:
    """Return text in a frame, with a button that copies it."""
    button = f'<button type="button" class="copy" aria-label="Copy {html.escape(what)}">Copy</button>'
    return f'<div class="code">{button}<pre>{html.escape(text)}</pre></div>'


# Figures are drawn in light colours, so the page is light, too.
STYLE = """\
  :root { color-scheme: light; }
  body { margin: 0; background: #fff; color: #1c1c1c; font: 16px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
  main { box-sizing: border-box; max-width: 78rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
  h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 1rem; overflow-wrap: anywhere; }
  h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; padding-bottom: .25rem; border-bottom: 1px solid #ddd; }
  h3 { font-size: 1rem; margin: 1rem 0 .3rem; }
  .verdict { margin: 0 0 1rem; padding: .6rem .9rem; border-left: .3rem solid; font-weight: 600; }
  .verdict.passed { border-color: #00734d; background: #eaf6f1; }
  .verdict.failed { border-color: #b3261e; background: #fbeceb; }
  .facts { display: flex; flex-wrap: wrap; gap: .6rem 2rem; margin: 0; }
  .facts dt { color: #595959; font-size: .85rem; }
  .facts dd { margin: 0; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
  .wide { overflow-x: auto; }
  .wide > table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
  .wide th, .wide td { padding: .25rem .8rem .25rem 0; border-bottom: 1px solid #eee; text-align: left; }
  .wide .parameters td:last-child { overflow-wrap: anywhere; }
  .numbers td:not(:first-child), .numbers th:not(:first-child) { text-align: right; padding: .25rem .4rem; }
  .numbers thead th { position: sticky; top: 0; background: #fff; vertical-align: bottom; }
  .numbers button { all: unset; cursor: pointer; font-weight: 600; max-width: 8rem; }
  .numbers button:focus-visible, .copy:focus-visible { outline: 2px solid #0072b2; }
  th[aria-sort=ascending] button::after { content: " ▲"; } th[aria-sort=descending] button::after { content: " ▼"; }
  .tools { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; margin: 0 0 .5rem; align-items: baseline; }
  .tools input { font: inherit; padding: .15rem .4rem; max-width: 12rem; }
  .pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); gap: 1rem; }
  .picture { min-width: 0; break-inside: avoid; }
  .code { position: relative; }
  .code .copy { position: absolute; right: .4rem; top: .4rem; font: .8rem system-ui, sans-serif; cursor: pointer; }
  details { margin: .5rem 0; }
  summary { cursor: pointer; }
  pre { overflow: auto; max-height: 24rem; margin: 0; padding: .8rem 5rem .8rem .8rem; }
  pre { background: #f6f6f6; font-size: .8rem; }
  @media (max-width: 40rem) {
    .yeastxr-checks :is(th, td):is(:nth-child(2), :nth-child(4)) { display: none; }
    .wide > table { font-size: .8rem; }
  }
  @media print {
    main { max-width: none; padding: 0; } h2 { break-after: avoid; } tr { break-inside: avoid; }
    thead { display: table-header-group; } .wide { overflow: visible; } .copy, .tools { display: none; }
    pre { white-space: pre-wrap; max-height: none; } .numbers thead th { position: static; }
  }
"""

SCRIPT = """\
for (const button of document.querySelectorAll(".copy")) {
  button.addEventListener("click", async () => {
    const text = button.nextElementSibling.textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = Object.assign(document.createElement("textarea"), { value: text });
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}
const table = document.getElementById("tf-table");
if (table) {
  const body = table.tBodies[0], most = Number(table.dataset.most);
  const rows = JSON.parse(document.getElementById("tf-data").textContent)
    ?? [...body.rows].map((row) => [...row.cells].map((cell) => cell.textContent));
  const filter = document.getElementById("tf-filter"), count = document.getElementById("tf-count");
  const all = count.textContent, heads = [...table.tHead.rows[0].cells];
  let order = rows.map((_, i) => i);
  const show = () => {
    const wanted = filter.value.trim().toLowerCase();
    const found = order.filter((i) => !wanted || rows[i][0].toLowerCase().includes(wanted));
    body.replaceChildren(...found.slice(0, most).map((i) => {
      const row = document.createElement("tr");
      row.append(...rows[i].map((text) => Object.assign(document.createElement("td"), { textContent: text })));
      return row;
    }));
    const shown = found.length > most ? `, ${most} of them shown: filter or sort to see others` : "";
    count.textContent = wanted || shown ? `${all}, ${found.length} found${shown}` : all;
  };
  heads.forEach((head, column) => head.firstChild.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach((other) => other.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const numeric = rows.every((row) => row[column] === "" || !isNaN(row[column]));
    const compare = (a, b) => {
      const [x, y] = [rows[a][column], rows[b][column]];
      if (x === "" || y === "") return (x === "") - (y === "") || a - b;
      return (down ? -1 : 1) * (numeric ? x - y : x.localeCompare(y)) || a - b;
    };
    order.sort(compare);
    show();
  }));
  filter.addEventListener("input", show);
  if (rows.length > most) show();
}
"""
