"use strict";

// Buttons that copy or save text.
for (const frame of document.querySelectorAll(".code")) {
  const text = () => frame.querySelector("pre").textContent;
  const [copy, save] = frame.querySelectorAll("button");
  copy.addEventListener("click", async () => {
    const done = (await copied(text())) ? "Copied" : "Select and copy manually";
    const before = copy.textContent;
    copy.textContent = done;
    document.getElementById("message").textContent = done;
    setTimeout(() => { copy.textContent = before; }, 1500);
  });
  save?.addEventListener("click", () => {
    const url = URL.createObjectURL(new Blob([text()], { type: "application/json" }));
    Object.assign(document.createElement("a"), { href: url, download: save.dataset.name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  });
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch { // some browsers do not allow this for local files: use the old way
    const area = Object.assign(document.createElement("textarea"), { value: text });
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

// The table of TFs: sorted by columns, filtered by name, with a limited number of rows.
const table = document.getElementById("tf-table");
if (table) {
  const body = table.tBodies[0], most = Number(table.dataset.most);
  const data = JSON.parse(document.getElementById("tf-data").textContent);
  const columns = [data.names, ...data.columns.map((column) => column.split(" "))];
  const filter = document.getElementById("tf-filter"), count = document.getElementById("tf-count");
  const all = count.textContent, heads = [...table.tHead.rows[0].cells];
  const names = data.names.map((name) => name.toLowerCase());
  const numeric = columns.map((column) => column.every((cell) => cell === "" || !isNaN(cell)));
  const order = names.map((_, i) => i);
  const show = () => {
    const wanted = filter.value.trim().toLowerCase();
    const found = order.filter((i) => names[i].includes(wanted));
    body.replaceChildren(...found.slice(0, most).map((i) => {
      const row = document.createElement("tr");
      row.append(...columns.map((column, at) =>
        Object.assign(document.createElement(at ? "td" : "th"), { textContent: column[i] })));
      row.firstChild.scope = "row";
      return row;
    }));
    const rest = found.length > most ? `; showing ${most}, sort or filter to see others` : "";
    count.textContent = all + (wanted ? `; ${found.length} match` : "") + rest;
  };
  heads.forEach((head, at) => head.querySelector("button").addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach((other) => other.setAttribute("aria-sort", other === head ? (down ? "descending" : "ascending") : "none"));
    const cells = columns[at];
    const compare = numeric[at] ? (x, y) => x - y : (x, y) => x.localeCompare(y, "en", { numeric: true });
    order.sort((a, b) => { // missing values come last; ties keep the order of the dataset
      const [x, y] = [cells[a], cells[b]];
      if (x === "" || y === "") return (x === "") - (y === "") || a - b;
      return (down ? -1 : 1) * compare(x, y) || a - b;
    });
    show();
  }));
  filter.addEventListener("input", show);
  show();
}

// For printing: open details, and scale figures, which keep their size on the screen, to the page.
const PAPER = 680; // pixels between the margins of A4
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  folded.forEach((part) => { part.open = true; });
  const figures = document.querySelector(".pictures"), width = figures.offsetWidth;
  for (const figure of figures.children) figure.style.width = `${figure.offsetWidth}px`;
  figures.style.gridTemplateColumns = getComputedStyle(figures).gridTemplateColumns;
  figures.style.width = `${width}px`;
  figures.style.zoom = Math.min(1, PAPER / width);
});
addEventListener("afterprint", () => {
  folded.forEach((part) => { part.open = false; });
  const figures = document.querySelector(".pictures");
  for (const part of [figures, ...figures.children]) part.removeAttribute("style");
});
