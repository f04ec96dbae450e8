"use strict";
// What the parts of a panel share: headings, captions, tables, reasons, links to places. Text goes into text nodes only.

const parts = (() => {
  const {html, count} = plots;
  const heading = text => html("h4", {}, text);
  const figure = (className, text, ...content) => html("figure", {class: className}, ...content, html("figcaption", {}, text));
  const charts = (className, drawn, legend) => {
    const box = html("div", {class: `charts ${className}`.trim()}, ...drawn);
    if (legend) box.append(plots.legend(legend, box));
    return box;
  };

  // Why there is nothing to show.
  const plain = reason => reason.replace(/^not defined: /, "");
  const stated = reason => html("p", {class: "undefined"}, `not defined: ${plain(reason)}`);
  // One line for each reason, with the models (or whatever it is) that it holds for.
  const reasons = entries => {
    const names = new Map();
    for (const [name, {reason}] of entries) if (reason) names.set(reason, (names.get(reason) ?? new Set()).add(name));
    return [...names].map(([reason, found]) => stated(`${[...found].join(", ")}: ${plain(reason)}`));
  };

  const cell = (...content) => html("td", {}, ...content);
  const right = (...content) => html("td", {class: "n"}, ...content);
  // Headings are [text, whether numbers stand below]; rows are lists of cells.
  const table = (heads, rows, className = "") => {
    const head = html("tr", {}, ...heads.map(([text, numeric]) => html("th", {scope: "col", class: numeric ? "n" : null}, text)));
    const body = html("tbody", {}, ...rows.map(cells => html("tr", {}, ...cells)));
    return html("div", {class: "wide"}, html("table", {class: className}, html("thead", {}, head), body));
  };

  // Coordinates, with a link to the genome browser where one is configured; a place that is not known in other words.
  const place = (assembly, chrom, start, end, {browser}, otherwise) => {
    if (chrom === null || chrom === undefined || start < 0) return otherwise;
    const words = `${chrom}:${count(start + 1)}–${count(end)}`;
    if (!browser || !/^https?:\/\//.test(browser) || !assembly) return words;
    const values = {assembly, chrom, start: start + 1, end};
    const href = browser.replace(/\{(assembly|chrom|start|end)\}/g, (_, name) => encodeURIComponent(values[name]));
    return html("a", {href, target: "_blank", rel: "noopener noreferrer"}, words);
  };

  return {heading, figure, charts, plain, stated, reasons, cell, right, table, place};
})();
