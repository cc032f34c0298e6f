"use strict";
// Draws figures when they come near the window, in the page's colours, and sorts tables.
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const narrow = window.matchMedia("(max-width: 600px)");
  const touch = window.matchMedia("(pointer: coarse)");
  const drawn = new Map();

  function color(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  }

  function isAxis(name) {
    return /^[xy]axis[0-9]*$/.test(name);
  }

  // The page's colours for a figure's layout, as paths that relayout takes.
  function colors(layout) {
    const ink = color("ink");
    const set = {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      "font.color": ink,
      "hoverlabel.bgcolor": color("card"),
      "hoverlabel.bordercolor": color("line"),
      "hoverlabel.font.color": ink,
    };
    for (const name of Object.keys(layout).filter(isAxis)) {
      set[`${name}.gridcolor`] = color("grid");
      set[`${name}.zerolinecolor`] = color("line");
      set[`${name}.linecolor`] = color("line");
    }
    return set;
  }

  function assign(target, path, value) {
    const steps = path.split(".");
    const last = steps.pop();
    let place = target;
    for (const step of steps) {
      place[step] = place[step] || {};
      place = place[step];
    }
    place[last] = value;
  }

  function prepared(layout) {
    const made = structuredClone(layout);
    for (const [path, value] of Object.entries(colors(made))) assign(made, path, value);
    assign(made, "font.size", narrow.matches ? 10 : 12);
    assign(made, "font.family", getComputedStyle(document.body).fontFamily);
    for (const name of Object.keys(made).filter(isAxis)) {
      if (made[name].automargin === undefined) made[name].automargin = true;
      if (narrow.matches && made[name].ticktext) {
        made[name].ticktext = made[name].ticktext.map(shortened);
      }
      // A finger on a figure scrolls the page.
      if (touch.matches) made[name].fixedrange = true;
    }
    if (touch.matches) made.dragmode = false;
    return made;
  }

  // A tick's text is a line or some, escaped: what holds an entity is left as it is.
  function shortened(text) {
    const short = (line) =>
      line.length <= 18 || line.includes("&") ? line : `${line.slice(0, 9)}…${line.slice(-8)}`;
    return text.split("<br>").map(short).join("<br>");
  }

  // Beside a colour bar nothing would be left of the figure itself.
  function traces(figure) {
    if (!narrow.matches) return figure.traces;
    return figure.traces.map((trace) => {
      const made = { ...trace };
      if (made.type === "heatmap") {
        made.showscale = false;
        made.textfont = { ...made.textfont, size: 9 };
      }
      if (made.marker && made.marker.colorbar) made.marker = { ...made.marker, showscale: false };
      return made;
    });
  }

  function draw(place) {
    if (drawn.has(place)) return;
    const figure = figures[Number(place.dataset.figure)];
    drawn.set(place, figure);
    Plotly.newPlot(place, traces(figure), prepared(figure.layout), {
      responsive: true,
      displayModeBar: false,
    }).then(() => place.classList.add("drawn"));
  }

  const places = [...document.querySelectorAll(".plot")];
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const entry of entries.filter((one) => one.isIntersecting)) {
        watcher.unobserve(entry.target);
        draw(entry.target);
      }
    },
    { rootMargin: "300px" },
  );
  for (const place of places) watcher.observe(place);
  window.addEventListener("beforeprint", () => {
    for (const place of places.filter((one) => one.offsetParent !== null)) draw(place);
  });
  dark.addEventListener("change", () => {
    for (const [place, figure] of drawn) Plotly.relayout(place, colors(figure.layout));
  });

  for (const button of document.querySelectorAll("button.scale")) {
    const place = button.closest("figure").querySelector(".plot");
    const axis = `${button.dataset.axis}axis`;
    button.addEventListener("click", () => {
      const type = place.layout[axis].type === "log" ? "linear" : "log";
      Plotly.relayout(place, {
        [`${axis}.type`]: type,
        [`${axis}.dtick`]: type === "log" ? "D2" : null,
        [`${axis}.autorange`]: true,
      });
    });
  }

  for (const button of document.querySelectorAll("button.save")) {
    const figure = button.closest("figure");
    button.addEventListener("click", () => {
      const place = figure.querySelector(".plot");
      Plotly.downloadImage(place, { format: "svg", filename: place.id });
    });
  }

  for (const select of document.querySelectorAll(".choice select")) {
    const show = () => {
      for (const option of select.options) {
        document.getElementById(option.value).hidden = option.value !== select.value;
      }
    };
    select.addEventListener("change", show);
    show(); // a browser that comes back to a page keeps what was selected
  }

  // Cells that hold nothing known stay last, whichever way the others are sorted.
  function sort(head) {
    const table = head.closest("table");
    const column = head.cellIndex;
    const numeric = head.classList.contains("number");
    const falling = head.getAttribute("aria-sort") === "ascending";
    const key = (row) => {
      const cell = row.cells[column];
      if (numeric) return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
      return cell.textContent === "" ? null : cell.textContent;
    };
    const words = new Intl.Collator(undefined, { numeric: true });
    const compare = numeric ? (a, b) => a - b : words.compare;
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => ({ row, key: key(row) }));
    rows.sort((a, b) => {
      if (a.key === null || b.key === null) return (a.key === null) - (b.key === null);
      return falling ? compare(b.key, a.key) : compare(a.key, b.key);
    });
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    body.append(...rows.map((one) => one.row));
  }

  for (const head of document.querySelectorAll("th")) {
    head.querySelector("button").addEventListener("click", () => sort(head));
  }
})();
