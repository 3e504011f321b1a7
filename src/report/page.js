"use strict";
// The page is complete without this. With it, the rows can be filtered by any text in them.
const rows = document.querySelectorAll("tbody tr");
if (rows.length > 1) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  input.type = "search";
  label.append("Show only rows that contain ", input);
  document.querySelector("main").prepend(label);
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase();
    for (const row of rows) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
    }
  });
}
