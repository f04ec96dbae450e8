"use strict";
// Small charts and sequence logos as SVG, drawn node by node: no text is ever read as markup, nothing is loaded.
// Colours of Okabe and Ito (2008); a series differs by its line style too, so that print and colour-blind eyes keep it.

const plots = (() => {
  const NS = "http://www.w3.org/2000/svg";
  const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b07a00", "#3d9bd0", "#17212b"];
  const DASHES = ["", "8 3", "2.5 2.5", "9 3 2 3", "5 2", "14 3"];
  const BASES = "ACGT";
  const BASE_COLOURS = {A: "#009e73", C: "#0072b2", G: "#d99400", T: "#d55e00"};
  // Letters in a box of 1 by 1, so that the height of a letter is exactly its value, whatever fonts there are.
  const LETTERS = {
    A: "M0 1L.4 0H.6L1 1H.81L.71 .74H.29L.19 1ZM.345 .59H.655L.5 .17Z",
    C: "M1 .34C.96 .12.78 0 .53 0 .2 0 0 .2 0 .5S.2 1 .53 1C.79 1 .97 .87 1 .65L.82 .62C.79 .77.69 .85.53 .85.3 .85.18 .72.18 .5S.3 .15.53 .15C.68 .15.79 .22.82 .37Z",
    G: "M.98 .31C.93 .11.76 0 .53 0 .2 0 0 .2 0 .5S.2 1 .54 1C.74 1 .9 .93 1 .84V.46H.53V.61H.82V.76"
      + "C.76 .82.66 .85.55 .85.31 .85.18 .72.18 .5S.31 .15.53 .15C.67 .15.77 .22.8 .35Z",
    T: "M0 0H1V.16H.59V1H.41V.16H0Z",
  };

  const fill = (element, attributes, content) => {
    for (const [name, value] of Object.entries(attributes)) if (![null, undefined, ""].includes(value)) element.setAttribute(name, value);
    element.append(...content.filter(part => part !== null && part !== undefined));
    return element;
  };
  const svg = (name, attributes = {}, ...content) => fill(document.createElementNS(NS, name), attributes, content);
  const html = (name, attributes = {}, ...content) => fill(document.createElement(name), attributes, content);

  // Numbers

  const number = (value, digits = 3) => value === null || value === undefined ? "–" : value.toFixed(digits).replace("-", "−");
  const count = value => value.toLocaleString("en");
  const path = points => points.map(([x, y], at) => `${at ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

  // Round numbers that divide a range into about `n` parts.
  const ticks = (low, high, n = 5) => {
    const rough = (high - low) / n, power = 10 ** Math.floor(Math.log10(rough)), share = rough / power;
    const step = power * (share >= 7.5 ? 10 : share >= 3.5 ? 5 : share >= 1.5 ? 2 : 1);
    const made = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) made.push(Number((k * step).toPrecision(10)));
    return made;
  };
  const tickLabels = values => {
    const step = values.length > 1 ? Math.abs(values[1] - values[0]) : 1;
    const digits = Math.min(8, Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
    return values.map(value => Math.abs(value) >= 1e4 ? count(value).replace("-", "−") : number(value, digits));
  };
  // Range of values with a little room; of equal values too.
  const extent = (values, {zero = false} = {}) => {
    const known = values.filter(Number.isFinite);
    if (!known.length) return [0, 1];
    let low = Math.min(...known), high = Math.max(...known);
    if (zero) low = Math.min(0, low);
    if (low === high) return [low - 0.5, high + 0.5];
    const room = 0.04 * (high - low);
    return [zero && low === 0 ? 0 : low - room, high + room];
  };

  // Style of each name, in order.
  const styles = names => new Map(names.map((name, at) => [name, {colour: COLOURS[at % COLOURS.length], dash: DASHES[at % DASHES.length]}]));

  // Charts. `x` and `y` of the result turn values into places; `area` is clipped to the axes.

  let clips = 0;
  const chart = ({width = 380, height = 290, title = "", label = title, x, y, right = 14, top = 26, bottom = 42}) => {
    const xTicks = x.ticks ?? ticks(...x.domain, Math.round(width / 75)), yTicks = y.ticks ?? ticks(...y.domain);
    const xLabels = tickLabels(xTicks), yLabels = tickLabels(yTicks);
    const left = 27 + 6.3 * Math.max(1, ...yLabels.map(text => text.length));
    const inner = {x0: left, x1: width - right, y0: height - bottom, y1: top};
    const place = (axis, from, to) => value => from + ((value - axis.domain[0]) / (axis.domain[1] - axis.domain[0])) * (to - from);
    const placeX = place(x, inner.x0, inner.x1), placeY = place(y, inner.y0, inner.y1);
    const clip = `clip-${++clips}`;
    const area = svg("g", {"clip-path": `url(#${clip})`}), marks = svg("g"), over = svg("g", {class: "over"});
    const root = svg("svg", {viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img", "aria-label": label},
      svg("clipPath", {id: clip}, svg("rect", {x: inner.x0, y: inner.y1 - 1, width: inner.x1 - inner.x0 + 1, height: inner.y0 - inner.y1 + 2})));
    if (title) root.append(svg("text", {x: inner.x0, y: 14, class: "title"}, title));
    xTicks.forEach((value, at) => root.append(
      svg("path", {d: `M${placeX(value).toFixed(1)} ${inner.y0}v4`, class: "axis"}),
      svg("text", {x: placeX(value).toFixed(1), y: inner.y0 + 16, "text-anchor": "middle"}, xLabels[at])));
    yTicks.forEach((value, at) => root.append(
      svg("path", {d: `M${inner.x0} ${placeY(value).toFixed(1)}H${inner.x1}`, class: "grid"}),
      svg("text", {x: inner.x0 - 6, y: (placeY(value) + 4).toFixed(1), "text-anchor": "end"}, yLabels[at])));
    root.append(svg("path", {d: `M${inner.x0} ${inner.y1}V${inner.y0}H${inner.x1}`, class: "axis"}));
    if (x.label) root.append(svg("text", {x: (inner.x0 + inner.x1) / 2, y: height - 7, "text-anchor": "middle", class: "label"}, x.label));
    const upwards = `translate(12 ${(inner.y0 + inner.y1) / 2}) rotate(-90)`;
    if (y.label) root.append(svg("text", {transform: upwards, "text-anchor": "middle", class: "label"}, y.label));
    root.append(area, marks, over);
    return {root, area, marks, over, inner, x: placeX, y: placeY, domain: y.domain, targets: []};
  };

  const outline = (d, {colour, dash, width, opacity, name}) => svg("path", {
    d, fill: "none", stroke: colour, "stroke-width": width, "stroke-dasharray": dash, "stroke-linejoin": "round", opacity, "data-series": name,
  });
  // A line; what is not a number interrupts it. `say` turns a point into the words of the readout.
  const line = (drawn, xs, ys, {colour, dash = "", width = 1.8, opacity = null, name = null, say = null}) => {
    let d = "", open = false;
    xs.forEach((value, at) => {
      if (!Number.isFinite(value) || !Number.isFinite(ys[at])) { open = false; return; }
      d += `${open ? "L" : "M"}${drawn.x(value).toFixed(1)} ${drawn.y(ys[at]).toFixed(1)}`;
      open = true;
      if (say) drawn.targets.push({x: drawn.x(value), y: drawn.y(ys[at]), colour, text: say(value, ys[at])});
    });
    drawn.area.append(outline(d, {colour, dash, width, opacity, name}));
  };
  const dots = (drawn, xs, ys, radii, {colour, opacity = null, name = null, say = null}) => {
    const group = svg("g", {fill: colour, opacity, "data-series": name});
    xs.forEach((value, at) => {
      const x = drawn.x(value), y = drawn.y(ys[at]);
      group.append(svg("circle", {cx: x.toFixed(1), cy: y.toFixed(1), r: radii[at].toFixed(1)}));
      if (say) drawn.targets.push({x, y, colour, text: say(at)});
    });
    drawn.marks.append(group);
  };
  // A histogram as an outline: `range` is that of all bins.
  const histogram = (drawn, range, values, {colour, dash = "", filled = true, width = 1.5, opacity = null, name = null, say = null}) => {
    const edge = at => range[0] + (at * (range[1] - range[0])) / values.length;
    const points = [[edge(0), 0], ...values.flatMap((value, at) => [[edge(at), value], [edge(at + 1), value]]), [edge(values.length), 0]];
    const d = path(points.map(([x, y]) => [drawn.x(x), drawn.y(y)]));
    if (filled) drawn.area.append(svg("path", {d: `${d}Z`, fill: colour, opacity: 0.18, "data-series": name}));
    drawn.area.append(outline(d, {colour, dash, width, opacity, name}));
    if (say) values.forEach((value, at) => {
      const [from, to] = [edge(at), edge(at + 1)];
      drawn.targets.push({x: drawn.x((from + to) / 2), y: drawn.y(value), colour, text: say(from, to, value)});
    });
  };
  // A dotted line of reference from one point to another.
  const reference = (drawn, from, to, label = "") => {
    const [x0, y0, x1, y1] = [drawn.x(from[0]), drawn.y(from[1]), drawn.x(to[0]), drawn.y(to[1])];
    drawn.area.append(svg("path", {d: path([[x0, y0], [x1, y1]]), class: "reference"}));
    if (!label) return;
    const beside = x0 === x1 && x0 < (drawn.inner.x0 + drawn.inner.x1) / 2; // an upright line on the left has it to its right
    drawn.marks.append(svg("text", {x: beside ? x1 + 5 : x1 - 4, y: x0 === x1 ? drawn.inner.y1 + 8 : y1 - 5, "text-anchor": beside ? "start" : "end", class: "note"}, label));
  };
  // A faint upright line.
  const upright = (drawn, x, {colour}) => drawn.area.append(svg("path", {d: path([[drawn.x(x), drawn.inner.y0], [drawn.x(x), drawn.inner.y1]]), stroke: colour, "stroke-dasharray": "1 3"}));

  // What lies under the pointer, in words at the top of the chart.
  const readout = drawn => {
    const {x0, x1, y0, y1} = drawn.inner;
    const text = svg("text", {x: x1, y: 14, "text-anchor": "end", class: "readout"}), dot = svg("circle", {r: 4, fill: "none", "stroke-width": 2});
    const pad = svg("rect", {x: x0, y: y1, width: x1 - x0, height: y0 - y1, fill: "transparent"});
    const hide = () => { text.textContent = ""; dot.remove(); drawn.root.classList.remove("read"); };
    pad.addEventListener("pointermove", event => {
      const to = drawn.root.getScreenCTM();
      const x = (event.clientX - to.e) / to.a, y = (event.clientY - to.f) / to.d;
      let nearest = null, least = 900; // squared distance: no farther than 30
      for (const target of drawn.targets) {
        const distance = (target.x - x) ** 2 + (target.y - y) ** 2;
        if (distance < least) [nearest, least] = [target, distance];
      }
      if (!nearest) return hide();
      text.textContent = nearest.text;
      drawn.root.classList.add("read");
      for (const [name, value] of Object.entries({cx: nearest.x, cy: nearest.y, stroke: nearest.colour})) dot.setAttribute(name, value);
      drawn.over.append(dot);
    });
    pad.addEventListener("pointerleave", hide);
    drawn.over.append(text);
    drawn.root.append(pad);
    return drawn.root;
  };

  const swatch = ({colour, dash = "", filled = false}) => svg("svg", {width: 34, height: 12, viewBox: "0 0 34 12", class: "swatch", "aria-hidden": "true"},
    filled ? svg("rect", {x: 1, y: 2, width: 32, height: 9, fill: colour, opacity: 0.18}) : null,
    svg("path", {d: filled ? "M1 11V2H33V11" : "M0 6H34", fill: "none", stroke: colour, "stroke-width": 2.2, "stroke-dasharray": dash}));
  // A legend: [name, style, notes...]. The series under the pointer stands out in all charts of `scope`.
  const legend = (items, scope) => html("ul", {class: "legend"}, ...items.map(([name, style, ...notes]) => {
    const item = html("li", {}, swatch(style), html("span", {class: "name"}, name), ...notes.map(note => html("span", {class: "value"}, note)));
    const fade = on => { for (const drawn of scope.querySelectorAll("[data-series]")) drawn.classList.toggle("faded", on && drawn.dataset.series !== name); };
    item.addEventListener("pointerenter", () => fade(true));
    item.addEventListener("pointerleave", () => fade(false));
    return item;
  }));

  // Sequence logos. A column is a list of [base, height], drawn from the axis outwards; heights below 0 hang head down.

  // Information content in bits, a letter having its share of it (Schneider and Stephens 1990, doi:10.1093/nar/18.20.6097).
  const informationColumns = probabilities => probabilities.map(row => {
    const total = row.reduce((sum, share) => sum + share, 0) || 1, shares = row.map(share => share / total);
    const bits = 2 + shares.reduce((sum, share) => sum + (share > 0 ? share * Math.log2(share) : 0), 0);
    return shares.map((share, at) => [BASES[at], share * bits]).sort((a, b) => a[1] - b[1]);
  });
  const importanceColumns = (sequence, importance) => [...sequence].map((base, at) => [[base, importance[at] ?? 0]]);
  // Of a value for every base: those above 0 upwards, those below 0 downwards, the largest outermost.
  const matrixColumns = rows => rows.map(row => row.map((value, at) => [BASES[at], value]).sort((a, b) => Math.abs(a[1]) - Math.abs(b[1])));

  const logo = (columns, {label = "", unit = "", base = 14, height = 78, range = null, first = null, axis = true} = {}) => {
    const extremes = part => columns.map(column => column.reduce((sum, [, value]) => sum + part(0, value), 0));
    let [low, high] = range ?? [Math.min(0, ...extremes(Math.min)), Math.max(0, ...extremes(Math.max))];
    if (low === high) high = low + 1;
    const left = axis ? 42 : 2, top = 6, bottom = first === null ? 6 : 18;
    const y = value => top + ((high - value) / (high - low)) * height;
    const width = left + columns.length * base + 4;
    const whole = top + height + bottom;
    const root = svg("svg", {viewBox: `0 0 ${width} ${whole}`, width, height: whole, class: "logo", role: "img", "aria-label": label});
    if (axis) {
      const values = ticks(low, high, 2), labels = tickLabels(values);
      values.forEach((value, at) => root.append(svg("text", {x: left - 6, y: (y(value) + 4).toFixed(1), "text-anchor": "end"}, labels[at])));
      root.append(svg("path", {d: `M${left - 2} ${top}V${top + height}`, class: "axis"}));
      if (unit) root.append(svg("text", {transform: `translate(9 ${top + height / 2}) rotate(-90)`, "text-anchor": "middle", class: "unit"}, unit));
    }
    root.append(svg("path", {d: `M${left - 2} ${y(0).toFixed(1)}H${width - 2}`, class: "axis"}));
    columns.forEach((column, at) => {
      let up = 0, down = 0;
      for (const [letter, value] of column) {
        const size = (Math.abs(value) / (high - low)) * height;
        if (size < 0.05 || !LETTERS[letter]) continue;
        const x = left + at * base + 0.04 * base, edge = value > 0 ? y(up + value) : y(down);
        const [origin, stretch] = value > 0 ? [edge, size] : [edge + size, -size];
        const transform = `translate(${x.toFixed(2)} ${origin.toFixed(3)}) scale(${(0.92 * base).toFixed(2)} ${stretch.toFixed(4)})`;
        if (value > 0) up += value; else down += value;
        const look = {fill: BASE_COLOURS[letter], "fill-rule": "evenodd", opacity: value < 0 ? 0.6 : null};
        root.append(svg("path", {d: LETTERS[letter], transform, ...look, "data-base": letter}));
      }
      if (first === null || (at + first) % 10) return;
      root.append(svg("text", {x: (left + (at + 0.5) * base).toFixed(1), y: top + height + 14, "text-anchor": "middle"}, `${at + first}`));
    });
    return root;
  };

  return {svg, html, number, count, ticks, tickLabels, extent, styles, chart, line, dots, histogram, reference, upright, readout, swatch, legend,
    informationColumns, importanceColumns, matrixColumns, logo, COLOURS, DASHES, BASE_COLOURS};
})();
