"use strict";
// The panel of one experiment: `drawPanel(element, data, options)`. What `data` is stands in docs/formats.md, "Report page".
// Text goes into text nodes only; a link is followed by a click, nothing is loaded.
//
// options: browser (address with {assembly}, {chrom}, {start} and {end}, or null), metric (name of the headline metric),
// floor (name of a baseline).

const panels = (() => {
  const {html, svg, number, count} = plots;
  const {heading, figure, stated, reasons, plain, cell, right, table, place} = parts;

  // Scores: of every model [mean, low, high, floor, seeds, better], or the reason why there are none.

  const setsOf = (data, panel) => (data.metrics ?? []).filter(set => set.split === panel.split && set.scheme === panel.scheme);
  const rowOf = (set, metric) => set?.rows.find(([, , name]) => name === metric);
  const scoresOf = (set, metric) => {
    const row = rowOf(set, metric);
    return new Map(row ? set.models.map((model, at) => [model, row[1][at]]) : []);
  };
  const titleOf = (sets, metric) => sets.map(set => rowOf(set, metric)).find(Boolean)?.[0] ?? metric;
  const lower = title => /^[A-Z][a-z]/.test(title) ? title[0].toLowerCase() + title.slice(1) : title;

  const lead = (panel, sets, {metric, floor}) => {
    const {name, n_positives: bound, n_negatives: unbound} = panel.test_set, model = panel.sites.model, title = lower(titleOf(sets, metric));
    const scores = scoresOf(sets.find(set => set.testSet === name), metric), score = scores.get(model), least = scores.get(floor);
    const windows = `On test set ${name} (${count(bound)} bound and ${count(unbound)} unbound windows)`;
    if (!Array.isArray(score)) return html("p", {class: "lead"}, `${windows} ${model} has no ${title}${typeof score === "string" ? `: ${plain(score)}` : ""}.`);
    const interval = score[1] === null ? "" : ` (interval ${number(score[1])} to ${number(score[2])})`;
    const beside = Array.isArray(least) && floor !== model ? ` The floor, ${floor}, has ${number(least[0])}.` : "";
    return html("p", {class: "lead"}, `${windows} the ${title} of ${model} is ${number(score[0])}${interval}.${beside}`);
  };

  const interval = ([mean, low, high, floor, seeds, above]) => {
    const x = value => (3 + 114 * Math.min(1, Math.max(0, value))).toFixed(1);
    const colour = above ? "#0072b2" : "#5f6c79";
    return svg("svg", {width: 120, height: 16, viewBox: "0 0 120 16", class: "interval", "aria-hidden": "true"},
      svg("path", {d: "M3 8H117", stroke: "#d5dce2"}),
      low === null ? null : svg("path", {d: `M${x(low)} 8H${x(high)}`, stroke: colour, "stroke-width": 3}),
      seeds.length > 1 ? svg("path", {d: seeds.map(seed => `M${x(seed)} 4V12`).join(""), stroke: colour}) : null,
      floor === null ? null : svg("path", {d: `M${x(floor)} 3l4 5-4 5-4-5z`, fill: "#fff", stroke: "#d55e00", "stroke-width": 1.5}),
      svg("circle", {cx: x(mean), cy: 8, r: 3.6, fill: above ? colour : "#fff", stroke: colour, "stroke-width": 1.4}));
  };
  const scoreCell = score => {
    if (!Array.isArray(score)) return html("td", {class: "undefined"}, score ?? "not part of this run");
    const [mean, low, high] = score;
    return cell(interval(score), html("span", {class: "v"}, number(mean)), low === null ? null : html("small", {}, `${number(low)} to ${number(high)}`));
  };
  const scoreTable = (panel, sets, {metric}) => {
    if (!sets.length) return [];
    const known = new Set(sets.flatMap(set => set.models)), columns = sets.map(set => scoresOf(set, metric));
    const models = [...new Set([...Object.keys(panel.curves).filter(model => known.has(model)), ...known])];
    const rows = models.map(model => [html("th", {scope: "row"}, model), ...columns.map(scores => scoreCell(scores.get(model)))]);
    return [heading(`${titleOf(sets, metric)} on every test set`), table([["Model"], ...sets.map(set => [set.testSet])], rows, "scores"),
      html("p", {class: "key"}, "Circle: mean of the seeds, filled where the whole interval (bar) lies above the floor (diamond) and above chance. Ticks: each seed.")];
  };
  const areas = (panel, sets) => {
    const set = sets.find(found => found.testSet === panel.test_set.name), scores = [["AUROC", "auroc"], ["AP", "average_precision"]];
    const value = score => Array.isArray(score) ? figures.short(score[0]) : "–";
    return name => scores.map(([word, metric]) => `${word} ${value(scoresOf(set, metric).get(name))}`);
  };

  // Places

  const strongest = (panel, options) => {
    const {model, reason, windows = []} = panel.sites;
    if (reason) return [heading("Strongest windows"), stated(reason)];
    const several = windows.some(([, , , , , low, high]) => low !== high), half = Math.ceil(windows.length / 2);
    const heads = [["", true], ["Window"], ["Here"], ["Score", true], ...(several ? [["Seeds", true]] : [])];
    const rows = windows.map(([chrom, start, end, label, score, low, high], at) => [
      right(`${at + 1}`), cell(place(panel.assembly, chrom, start, end, options, chrom)),
      cell(html("span", {class: `mark ${label ? "bound" : "unbound"}`}, label ? "bound" : "unbound")),
      right(number(score, 2)), ...(several ? [right(`${number(low, 2)} to ${number(high, 2)}`)] : [])]);
    const n = windows.filter(([, , , label]) => label).length, how = several ? " (mean, and from lowest to highest of the seeds)" : "";
    const text = `The ${rows.length} test windows with the highest score of ${model}${how}: ${n} are bound in this experiment. `
      + "One that is not is a false alarm, or a place that the experiment missed.";
    const halves = [rows.slice(0, half), rows.slice(half)].filter(some => some.length);
    return [heading("Strongest windows"), figure("strongest", text, html("div", {class: "halves"}, ...halves.map(some => table(heads, some))))];
  };

  // Data

  const SPLITS = ["train", "valid", "test"];
  const checks = panel => {
    const {sanity, counts} = panel.qc, made = [heading("Checks and counts")];
    if (sanity.reason) made.push(stated(sanity.reason));
    else if (sanity.failed.length) made.push(html("p", {class: "warning"}, `Failed: ${sanity.failed.join("; ")}`));
    else made.push(html("p", {}, `${count(sanity.n_checks)} checks of the examples against the raw files passed, on ${count(sanity.n_rows)} rows.`));
    const rows = Object.entries(counts).map(([name, of]) => [cell(name), ...SPLITS.map(split => right(of[split] === undefined ? "–" : count(of[split])))]);
    if (rows.length) made.push(table([["Examples"], ...SPLITS.map(split => [split, true])], rows));
    return made;
  };

  const auditCell = found => {
    if (!found || found.auroc === null) return html("td", {class: "n none"}, "–");
    const className = found.suspicious ? "suspicious" : found.judged ? null : "soft";
    const between = found.low === null ? null : html("small", {}, `${number(found.low, 2)} to ${number(found.high, 2)}`);
    return right(html("span", {class: className}, number(found.auroc)), between);
  };
  const audit = data => {
    const rows = data.audit ?? [], measured = rows.filter(row => row.auroc !== null), gone = rows.filter(row => row.auroc === null);
    if (!rows.length) return [];
    const features = [...new Set(measured.map(row => row.feature))], sets = new Map();
    for (const row of measured) {
      const key = JSON.stringify([row.set, row.split]);
      sets.set(key, [...(sets.get(key) ?? []), row]);
    }
    const lines = [...sets.values()].map(found => [cell(found[0].set, html("small", {}, found[0].split)),
      ...features.map(feature => auditCell(found.find(row => row.feature === feature)))]);
    const text = "How well something that knows no motif tells bound from unbound (AUROC; 0.5: not at all). Dark: the negatives were made so "
      + "that this is 0.5. Grey: for information. Shaded: suspicious.";
    const drawn = lines.length ? [figure("", text, table([["Set"], ...features.map(feature => [feature, true])], lines))] : [];
    return [heading("Audit of the negatives"), ...drawn, ...reasons(gone.map(row => [row.set, row]))];
  };

  const bar = (n, most) => svg("svg", {width: 120, height: 10, viewBox: "0 0 120 10", "aria-hidden": "true"},
    svg("rect", {width: Math.max(n ? 1 : 0, (120 * n) / most).toFixed(1), height: 10, fill: "#7f9db5"}));
  const filters = data => {
    const steps = (data.filters ?? []).map(({step, counts}) => {
      const most = Math.max(1, ...counts.map(([, n]) => n));
      const rows = counts.map(([reason, n]) => [cell(reason), right(count(n)), cell(bar(n, most))]);
      const content = rows.length ? table([["Reason"], ["n", true], [""]], rows) : html("p", {}, "Nothing was counted.");
      return html("details", {}, html("summary", {}, step), content);
    });
    return steps.length ? [heading("What was filtered"), ...steps] : [];
  };

  const FACTS = [["biosample", "Biosample"], ["treatment", "Treatment"], ["assembly", "Assembly"], ["family", "Family"],
    ["accession", "Accession"], ["lab", "Lab"], ["frip", "FRiP"], ["tier", "Tier"], ["split", "Split"], ["scheme", "Trained against"]];
  const facts = panel => html("dl", {class: "facts"}, ...FACTS.filter(([key]) => panel[key]).map(([key, word]) =>
    html("div", {}, html("dt", {}, word), html("dd", {}, key === "scheme" ? panel.scheme.replaceAll("_", " ") : `${panel[key]}`))));
  const details = panel => Object.keys(panel.details ?? {}).length ? [heading("What the baselines chose"),
    ...Object.entries(panel.details).map(([model, text]) => html("p", {}, `${model}: ${text}.`))] : [];
  const skippedSets = panel => reasons(Object.entries(panel.skipped_test_sets).map(([name, reason]) => [`test set ${name}`, {reason}]));

  const training = (panel, data, options) => {
    if (!panel.curves) return [stated(panel.reason)];
    if (panel.status !== "ok") return [facts(panel), html("p", {class: "warning"}, `Skipped: ${panel.reason}`), ...checks(panel)];
    const sets = setsOf(data, panel);
    return [facts(panel), lead(panel, sets, options), ...scoreTable(panel, sets, options), ...figures.curves(panel, areas(panel, sets)),
      ...motifs.section(data, panel, options), ...strongest(panel, options), ...figures.distributions(panel), ...figures.calibration(panel),
      ...figures.learning(panel), ...details(panel), ...figures.examples(panel), ...checks(panel), ...skippedSets(panel)];
  };
  const draw = (element, data, options) => {
    const chosen = {browser: null, metric: "average_precision", floor: null, ...options};
    const several = data.panels.length > 1;
    for (const panel of data.panels) {
      const title = several ? html("h4", {class: "which"}, `Split ${panel.split}, trained against ${panel.scheme.replaceAll("_", " ")}`) : null;
      element.append(html("section", {class: "training"}, title, ...training(panel, data, chosen)));
    }
    element.append(html("section", {class: "data"}, ...audit(data), ...filters(data)));
  };
  return {draw};
})();

function drawPanel(element, data, options) {
  panels.draw(element, data, options);
}
