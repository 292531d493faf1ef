// Opens the cell of an address, and adds sorting, a filter, hiding of columns and CSV to tables. Reading needs none of it.
"use strict";

const place = () => decodeURIComponent(location.hash.slice(1));

function open() {
  const name = place();
  if (!name) return;
  const target = document.getElementById(name);
  if (!target) {
    const page = name.split("/")[0];
    const known = [...document.querySelectorAll("a[href]")].some((a) => a.getAttribute("href") === page + ".html");
    if (name.includes("/") && known) location.replace(page + ".html#" + name);
    return;
  }
  for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
  target.scrollIntoView();
  const summary = target.closest("details")?.querySelector(":scope > summary");
  if (summary) summary.focus({ preventScroll: true });
}

const text = (node, selector) => [...node.querySelectorAll(selector)].map((n) => n.textContent.trim().replace(/\u00a0/g, " ")).join(" ");

function sortKey(cell) {
  if (cell.dataset.v !== undefined) return Number(cell.dataset.v);
  const words = cell.textContent.trim().replace(/−/g, "-").replace(/,/g, "");
  return words !== "" && !Number.isNaN(Number(words)) ? Number(words) : words.toLowerCase();
}

function compare(a, b) {
  const numbers = [typeof a === "number", typeof b === "number"];
  if (numbers[0] && numbers[1]) return a - b;
  if (numbers[0] !== numbers[1]) return numbers[0] ? -1 : 1;
  return a.localeCompare(b, undefined, { numeric: true });
}

function addSorting(table) {
  const headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const down = header.getAttribute("aria-sort") === "ascending";
      headers.forEach((other) => other.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...table.tBodies[0].rows];
      rows.sort((x, y) => (down ? -1 : 1) * compare(sortKey(x.cells[column]), sortKey(y.cells[column])));
      table.tBodies[0].append(...rows);
    });
  });
}

function hideColumn(table, column, hidden) {
  for (const row of table.rows) row.cells[column].hidden = hidden;
}

function quoted(value) {
  return /[",\n]/.test(value) ? '"' + value.replace(/"/g, '""') + '"' : value;
}

// The visible rows and columns: one line a cell of a grid, one line a row of another table.
function csv(table) {
  const headers = [...table.tHead.rows[0].cells];
  const rows = [...table.tBodies[0].rows].filter((row) => !row.hidden);
  const lines = [];
  if (table.classList.contains("grid")) {
    lines.push(["row", "column", "measured", "published", "difference", "verdict", "marks"]);
    for (const row of rows)
      [...row.cells].forEach((cell, i) => {
        if (i === 0 || cell.hidden) return;
        const words = text(cell, ".w").replace(/^[✓▲▼?=≠▷○↻] /, "");
        const values = [".m", ".p", ".d"].map((selector) => text(cell, selector));
        lines.push([row.cells[0].textContent.trim(), headers[i].textContent.trim(), ...values, words, text(cell, ".mark")]);
      });
  } else {
    const visible = headers.map((_, i) => i).filter((i) => !headers[i].hidden);
    lines.push(visible.map((i) => headers[i].textContent.trim()));
    for (const row of rows) lines.push(visible.map((i) => row.cells[i].textContent.trim()));
  }
  return lines.map((line) => line.map(quoted).join(",")).join("\n") + "\n";
}

function download(table) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(["\ufeff", csv(table)], { type: "text/csv;charset=utf-8" }));
  link.download = (table.dataset.name || "table") + ".csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function addTools(table) {
  const tools = document.createElement("div");
  tools.className = "tools";
  const filter = document.createElement("input");
  filter.type = "search";
  filter.placeholder = "filter rows";
  filter.setAttribute("aria-label", "filter rows");
  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of table.tBodies[0].rows) {
      const content = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => content.includes(word));
    }
  });
  const columns = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = "columns";
  const choices = document.createElement("div");
  choices.className = "choices";
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    if (column === 0) return;
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = true;
    box.addEventListener("change", () => hideColumn(table, column, !box.checked));
    label.append(box, " " + header.textContent.trim());
    choices.append(label);
  });
  columns.append(summary, choices);
  const save = document.createElement("button");
  save.type = "button";
  save.textContent = "download CSV";
  save.addEventListener("click", () => download(table));
  tools.append(filter, columns, save);
  (table.closest(".scroll") || table).before(tools);
}

// Arrow keys go from cell to cell of a grid.
function addArrows(table) {
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  table.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    const cell = event.target.closest("td");
    if (!step || !cell) return;
    const rows = [...table.tBodies[0].rows].filter((row) => !row.hidden);
    let row = rows.indexOf(cell.parentElement);
    let column = cell.cellIndex;
    for (;;) {
      row += step[0];
      column += step[1];
      const next = rows[row]?.cells[column];
      if (!next) return;
      const link = next.hidden ? null : next.querySelector("a");
      if (!link) continue;
      event.preventDefault();
      link.focus();
      return;
    }
  });
}

for (const table of document.querySelectorAll("table.grid, table.sortable")) {
  addTools(table);
  addSorting(table);
  if (table.classList.contains("grid")) addArrows(table);
}
// What is open has its address at hand, to be copied or cited.
function addAddress(inside) {
  if (!inside?.id || inside.querySelector(":scope > .address")) return;
  const line = document.createElement("p");
  const link = document.createElement("a");
  line.className = "address";
  link.href = "#" + inside.id;
  link.textContent = "#" + inside.id;
  line.append(link);
  inside.prepend(line);
}

document.addEventListener("toggle", (event) => {
  if (event.target.open) addAddress(event.target.querySelector(":scope > .inside"));
}, true);
addEventListener("hashchange", open);
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  if (link && link.getAttribute("href") === location.hash) open();
});
open();
