"use strict";
// Tables of the class "sortable" are sorted by a column when its heading is pressed. A cell with
// data-value counts as that number, another as its text; what has no number stays at the end.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      const falls = now ? now === "ascending" : head.classList.contains("n");
      for (const each of heads) each.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", falls ? "descending" : "ascending");
      const body = table.tBodies[0];
      const rows = [...body.rows].map((row) => ({ row, key: keyOf(row.cells[column], head) }));
      rows.sort((a, b) => compare(a.key, b.key, falls ? -1 : 1));
      body.append(...rows.map(({ row }) => row));
    });
  });
}

function keyOf(cell, head) {
  if (!head.classList.contains("n")) return cell.textContent.trim();
  return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
}

function compare(a, b, sign) {
  if (a === null || b === null) return (a === null) - (b === null);
  return sign * (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true }));
}
