"use strict";
// Draws each chart of the page from the table below it, with uPlot. Without this script the tables remain.
(() => {
  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  const PRINTED = {
    percent: (v) => `${(v * 100).toFixed(Math.abs(v) < 0.0995 ? 1 : 0)}%`,
    count: (v) => v.toLocaleString("en"),
    decimal: (v) => v.toFixed(3),
  };
  const TICKS = {
    percent: (v) => `${+(v * 100).toFixed(1)}%`,
    count: (v) => v.toLocaleString("en"),
    decimal: (v) => `${+v.toFixed(3)}`,
  };

  function read(figure) {
    const heads = [...figure.querySelectorAll("thead th[data-role]")];
    const rows = [...figure.querySelectorAll("tbody tr")];
    return {
      unit: figure.dataset.unit,
      labels: rows.map((row) => row.querySelector("th").textContent.trim()),
      columns: heads.map((head, at) => ({
        name: head.textContent.trim(),
        role: head.dataset.role,
        ink: head.dataset.ink,
        values: rows.map((row) => {
          const value = row.querySelectorAll("td")[at].dataset.value;
          return value === undefined ? null : Number(value);
        }),
      })),
    };
  }

  // Bars stand on the ones before them: each is drawn to the sum, the highest first.
  function stack(columns) {
    const summed = columns.map((column, at) => ({
      ...column,
      shown: column.values.map((_, row) => columns.slice(0, at + 1).reduce((sum, c) => sum + (c.values[row] ?? 0), 0)),
    }));
    return summed.reverse();
  }

  function series(column) {
    const stroke = ink(column.ink);
    switch (column.role) {
      case "bar":
        return { stroke, fill: stroke, width: 0, paths: uPlot.paths.bars({ size: [0.75, 28] }), points: { show: false } };
      case "mark":
        return { stroke, paths: () => null, points: { show: true, size: 10, fill: stroke, stroke: ink("paper"), width: 2 } };
      case "low":
      case "high":
        return { stroke: "transparent", width: 0, points: { show: false } };
      default:
        return {
          stroke,
          width: 2,
          dash: column.role === "dash" ? [6, 4] : undefined,
          points: { show: column.values.filter((v) => v !== null).length < 20, size: 5, fill: stroke },
        };
    }
  }

  function bands(columns) {
    return columns.flatMap((column, at) =>
      column.role === "low" && columns[at + 1]?.role === "high"
        ? [{ series: [at + 2, at + 1], fill: `color-mix(in srgb, ${ink(column.ink)} 18%, transparent)` }]
        : [],
    );
  }

  function options(drawn, columns, width, readout) {
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const axis = { stroke: ink("muted"), font, grid: { stroke: ink("line"), width: 1 }, ticks: { show: false } };
    return {
      width,
      height: 210,
      padding: [10, 14, 0, 0],
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, y: false },
      scales: {
        x: { time: false, range: () => [-0.6, drawn.labels.length - 0.4] },
        y: { range: (_, low, high) => [Math.min(0, low * 1.1), high > 0 ? high * 1.1 : 1] },
      },
      axes: [
        {
          ...axis,
          grid: { show: false },
          size: 28,
          space: 72,
          incrs: [1, 2, 4, 5, 10, 20, 50],
          values: (_, splits) => splits.map((at) => drawn.labels[at] ?? ""),
        },
        { ...axis, size: 58, values: (_, splits) => splits.map(TICKS[drawn.unit]) },
      ],
      series: [{}, ...columns.map(series)],
      bands: bands(columns),
      hooks: { setCursor: [(plot) => tell(drawn, plot.cursor.idx, readout)] },
    };
  }

  function tell(drawn, at, readout) {
    if (at === null || at === undefined) {
      readout.textContent = "\u00a0";
      return;
    }
    const told = drawn.columns
      .filter((column) => column.values[at] !== null)
      .map((column) => `${column.name} ${PRINTED[drawn.unit](column.values[at])}`);
    readout.textContent = [drawn.labels[at], ...told].join(" · ");
  }

  function draw(figure) {
    const drawn = read(figure);
    const [place, readout] = [figure.querySelector(".plot"), figure.querySelector(".readout")];
    const stacked = drawn.columns.some((column) => column.role === "bar");
    const columns = stacked ? stack(drawn.columns) : drawn.columns;
    const data = [drawn.labels.map((_, at) => at), ...columns.map((column) => column.shown ?? column.values)];
    place.hidden = readout.hidden = false;
    place.replaceChildren();
    tell(drawn, null, readout);
    return new uPlot(options(drawn, columns, place.clientWidth, readout), data, place);
  }

  const figures = [...document.querySelectorAll("figure.chart")];
  let plots = figures.map(draw);
  const redraw = () => {
    plots.forEach((plot) => plot.destroy());
    plots = figures.map(draw);
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth !== width) {
      width = innerWidth;
      redraw();
    }
  });
})();
