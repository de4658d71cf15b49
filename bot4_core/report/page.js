
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const box = document.getElementById("curves");
  const readout = document.getElementById("readout");
  if (readout && data.x.length) {
    const legend = Array.from(readout.childNodes).map((node) => node.cloneNode(true));
    const crosses = box.querySelectorAll("line.cross");
    const plot = box.querySelector(".chart.small svg.plot");
    const nearest = (at) => {
      let low = 0, high = data.x.length - 1;
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (data.x[middle] <= at) low = middle; else high = middle;
      }
      return at - data.x[low] < data.x[high] - at ? low : high;
    };
    const say = (name, value) => {
      const strong = document.createElement("b");
      strong.textContent = value;
      readout.append(name ? " · " + name + " " : "", strong);
    };
    const show = (event) => {
      const room = plot.getBoundingClientRect();
      const at = ((event.clientX - room.left) / room.width) * 1000;
      if (at < -20 || at > 1020) return hide();
      const i = nearest(at);
      for (const line of crosses) {
        line.setAttribute("x1", data.x[i] / 10 + "%");
        line.setAttribute("x2", data.x[i] / 10 + "%");
      }
      box.classList.add("touched");
      readout.replaceChildren();
      say("", data.time[i]);
      say("equity", data.equity[i]);
      if (data.hold.length) say("buy and hold", data.hold[i]);
      say("drawdown", data.drawdown[i]);
      say("exposure", data.exposure[i]);
    };
    const hide = () => {
      box.classList.remove("touched");
      readout.replaceChildren(...legend.map((node) => node.cloneNode(true)));
    };
    for (const chart of box.querySelectorAll(".chart")) chart.addEventListener("pointermove", show);
    box.addEventListener("pointerleave", hide);
  }

  const table = document.getElementById("trades");
  if (!table) return;
  const body = table.tBodies[0];
  const value = (row, column) => {
    const cell = row.cells[column];
    const number = Number(cell.dataset.v ?? cell.textContent);
    return Number.isNaN(number) ? cell.textContent : number;
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
  Array.from(table.tHead.rows[0].cells).forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = Array.from(body.rows, (row) => [value(row, column), row]);
      rows.sort((a, b) => (down ? compare(b[0], a[0]) : compare(a[0], b[0])));
      body.replaceChildren(...rows.map((pair) => pair[1]));
    });
  });
})();
