"use strict";
// Figures of one experiment: curves, score distributions, calibration, training, what its examples are like.
// Each function takes a panel (docs/formats.md, "Panel of one experiment") and returns elements, none where there is nothing.

const figures = (() => {
  const {number, count} = plots;
  const {heading, figure, charts, stated, reasons} = parts;
  const BOUND = {colour: "#0072b2", dash: ""}, UNBOUND = {colour: "#d55e00", dash: "4 2"}, GREY = {colour: "#5f6c79"};
  const OTHER_SEEDS = {opacity: 0.45, width: 1.1};
  const thousandths = values => values.map(value => value / 1000);
  const percent = share => `${(100 * share).toFixed(1)} %`;
  const short = value => number(value).replace(/^(−?)0\./, "$1.");
  const unit = label => ({label, domain: [0, 1], ticks: [0, 0.2, 0.4, 0.6, 0.8, 1]});
  const shares = counts => {
    const n = counts.reduce((sum, value) => sum + value, 0) || 1;
    return counts.map(value => value / n);
  };
  const shareAxis = (label, top) => ({label, domain: [0, 1.04 * top], ticks: plots.ticks(0, top, 4)});

  // `areas`: AUROC and average precision of a model, in words.
  const curves = (panel, areas) => {
    const entries = Object.entries(panel.curves), style = plots.styles(Object.keys(panel.curves));
    const shown = entries.filter(([, entry]) => entry.roc.some(curve => curve));
    const made = [heading("Bound from unbound")];
    if (shown.length) {
      const {n_positives: bound, n_negatives: unbound} = panel.test_set, prevalence = bound / (bound + unbound);
      const roc = plots.chart({title: "ROC", x: unit("False positive rate"), y: unit("Recall (true positive rate)")});
      const pr = plots.chart({title: "Precision-recall", x: unit("Recall"), y: unit("Precision")});
      plots.reference(roc, [0, 0], [1, 1]);
      plots.reference(pr, [0, prevalence], [1, prevalence]);
      for (const [name, entry] of [...shown].reverse()) { // the first model lies on top, and its first seed above the others
        const several = entry.roc.length > 1;
        for (let seed = entry.roc.length - 1; seed >= 0; seed--) {
          if (!entry.roc[seed]) continue;
          const who = several ? `${name} (seed ${seed + 1})` : name, look = {...style.get(name), ...(seed ? OTHER_SEEDS : {}), name};
          const [rates, recalls] = entry.roc[seed], [recalled, precisions] = entry.pr[seed];
          plots.line(roc, thousandths(rates), thousandths(recalls), {...look, say: (x, y) => `${who}: false positives ${short(x)}, recall ${short(y)}`});
          plots.line(pr, thousandths(recalled), thousandths(precisions), {...look, say: (x, y) => `${who}: recall ${short(x)}, precision ${short(y)}`});
        }
      }
      const thin = shown.some(([, entry]) => entry.roc.length > 1) ? " Thin lines: the other seeds." : "";
      const text = "Up and to the left (ROC), up and to the right (precision-recall) is better; the dotted line is chance. "
        + `Where unbound windows are many, trust precision-recall.${thin}`;
      made.push(figure("", text, charts("", [plots.readout(roc), plots.readout(pr)], shown.map(([name]) => [name, style.get(name), ...areas(name)]))));
    }
    return [...made, ...reasons(entries)];
  };

  const distributions = panel => {
    const entries = Object.entries(panel.histograms), shown = entries.filter(([, entry]) => entry.positives);
    if (!entries.length) return [];
    const made = [heading("Scores of bound and unbound windows")];
    if (shown.length) {
      const text = "The less the two outlines overlap, the better a model tells bound from unbound; bars at the ends stand for all beyond.";
      const legend = [["bound", {...BOUND, filled: true}], ["unbound", {...UNBOUND, filled: true}]];
      made.push(figure("", text, charts("small", shown.map(([name, entry]) => scores(name, entry)), legend)));
    }
    return [...made, ...reasons(entries)];
  };
  const scores = (name, {range, scale, positives, negatives}) => {
    const top = Math.max(...[...positives, ...negatives].flatMap(shares));
    const label = scale === "log_odds" ? "score (log odds)" : "score (no log odds)";
    const chart = plots.chart({width: 300, height: 190, title: name, x: {label, domain: range}, y: shareAxis("share", top)});
    for (const [word, seeds, style] of [["unbound", negatives, UNBOUND], ["bound", positives, BOUND]]) {
      seeds.forEach((counts, seed) => plots.histogram(chart, range, shares(counts), {
        ...style, filled: seed === 0, ...(seed ? OTHER_SEEDS : {}), name: word,
        say: seed ? null : (from, to, share) => `${word}: ${percent(share)} at ${number(from, 1)} to ${number(to, 1)}`,
      }));
    }
    return plots.readout(chart);
  };

  const calibration = panel => {
    const entries = Object.entries(panel.calibration), style = plots.styles(Object.keys(panel.curves));
    const shown = entries.filter(([, entry]) => entry.before);
    if (!entries.length) return [];
    const made = [heading("Can the probabilities be believed?")];
    if (shown.length) {
      const largest = Math.max(...shown.flatMap(([, entry]) => entry.before.flatMap(bins => bins[2])));
      const temperature = entry => entry.temperature.some(value => value !== null)
        ? `T ${entry.temperature.map(value => value === null ? "–" : number(value, 2)).join(", ")}` : "";
      const drawn = [["before", "As the model states them"], ["after", "After temperature scaling"]].map(([key, title]) => {
        const chart = plots.chart({title, x: unit("Stated probability of binding"), y: unit("Share that is bound")});
        plots.reference(chart, [0, 0], [1, 1], "perfect");
        for (const [name, entry] of shown) entry[key].forEach((bins, seed) => bins && reliability(chart, name, bins, style.get(name), seed, largest));
        return plots.readout(chart);
      });
      const text = "On the dotted line a probability means what it says; below it the model claims too much. "
        + "T: temperature, fitted on validation examples; each dot is a group of windows of like probability.";
      made.push(figure("", text, charts("", drawn, shown.map(([name, entry]) => [name, style.get(name), temperature(entry)]))));
    }
    return [...made, ...reasons(entries)];
  };
  const reliability = (chart, name, bins, style, seed, largest) => {
    const [predicted, observed, n] = [thousandths(bins[0]), thousandths(bins[1]), bins[2]];
    plots.line(chart, predicted, observed, {...style, ...(seed ? OTHER_SEEDS : {}), name});
    if (seed) return;
    const say = bin => `${name}: stated ${short(predicted[bin])}, bound ${short(observed[bin])} of ${count(n[bin])}`;
    plots.dots(chart, predicted, observed, n.map(size => 1.5 + 2 * Math.sqrt(size / largest)), {...style, name, say});
  };

  const learning = panel => {
    if (!panel.learning.length) return [];
    const logs = of => panel.learning.filter(entry => entry.kind === of), names = [...new Set(panel.learning.map(entry => entry.model))];
    const style = plots.styles([...new Set([...Object.keys(panel.curves), ...names])]);
    const classifiers = logs("classifier"), others = logs("language_model");
    const drawn = [...(classifiers.length ? epochs(classifiers, style) : []),
      ...[...new Set(others.map(entry => entry.metric))].map(metric => tokens(metric, others.filter(entry => entry.metric === metric), style))];
    const text = "Loss falls as a model learns (dotted: on the examples it learns from); where validation loss rises again, the best epoch "
      + `before it was kept. Faint upright lines: the next stage of training.${
        others.length ? " A language model below the dotted line knows more of the genome than counts of k-mers do." : ""}`;
    return [heading("Training"), figure("", text, charts("", drawn, names.map(name => [name, style.get(name)])))];
  };
  const epochs = (logs, style) => {
    const whole = plots.extent(logs.flatMap(entry => entry.epoch));
    const x = {label: "epoch, over all stages", domain: whole, ticks: plots.ticks(...whole).filter(Number.isInteger)};
    const losses = logs.flatMap(entry => [...entry.train_loss, ...entry.valid_loss]);
    const loss = plots.chart({title: "Loss", x, y: {label: "cross-entropy (nats)", domain: plots.extent(losses, {zero: true})}});
    const domain = plots.extent(logs.flatMap(entry => entry.valid_auroc));
    const auroc = plots.chart({title: "AUROC on validation examples", x, y: {label: "AUROC", domain}});
    for (const entry of logs) {
      const seed = logs.filter(other => other.model === entry.model).indexOf(entry);
      const look = {...style.get(entry.model), ...(seed ? OTHER_SEEDS : {}), name: entry.model};
      const say = word => (epoch, value) => `${entry.model} (seed ${seed + 1}), epoch ${epoch}: ${word} ${number(value)}`;
      plots.line(loss, entry.epoch, entry.train_loss, {...look, dash: "1.5 2.5", say: say("training")});
      plots.line(loss, entry.epoch, entry.valid_loss, {...look, say: say("validation")});
      plots.line(auroc, entry.epoch, entry.valid_auroc, {...look, say: say("AUROC")});
      if (!seed) entry.stage.forEach((stage, at) => { if (at && stage !== entry.stage[at - 1]) plots.upright(auroc, entry.epoch[at] - 0.5, look); });
    }
    return [plots.readout(loss), plots.readout(auroc)];
  };
  const tokens = (metric, logs, style) => {
    const x = {label: "million tokens read", domain: plots.extent(logs.flatMap(entry => entry.million_tokens), {zero: true})};
    const domain = plots.extent(logs.flatMap(entry => [...entry.valid, entry.reference]));
    const chart = plots.chart({title: "Language model, held-out regions", x, y: {label: metric, domain}});
    for (const {model, million_tokens: read, valid, reference, reference_name: name} of logs) {
      const look = {...style.get(model), name: model, say: (at, value) => `${model}: ${number(value)} after ${number(at, 1)} million`};
      plots.line(chart, read, valid, look);
      plots.dots(chart, read.slice(-1), valid.slice(-1), [2.5], {...style.get(model), name: model}); // one validation alone is no line
      plots.reference(chart, [0, reference], [read.at(-1), reference], name);
    }
    return plots.readout(chart);
  };

  const examples = panel => {
    const {gc, widths} = panel.examples, names = Object.keys(gc.sets ?? {}), style = plots.styles(names), drawn = [];
    if (gc.sets) {
      const top = Math.max(...Object.values(gc.sets).flatMap(shares));
      const chart = plots.chart({title: "GC content", x: {label: "G + C (fraction)", domain: gc.range}, y: shareAxis("share of the set", top)});
      names.forEach((name, at) => plots.histogram(chart, gc.range, shares(gc.sets[name]), {
        ...style.get(name), filled: at === 0, name, say: (from, to, share) => `${name}: ${percent(share)} at ${short(from)} to ${short(to)}`,
      }));
      drawn.push(plots.readout(chart));
    }
    const oneWidth = widths.counts?.length === 1;
    if (widths.counts && !oneWidth) drawn.push(peaks(widths));
    const legend = names.map((name, at) => [name, {...style.get(name), filled: at === 0}, count(gc.sets[name].reduce((sum, n) => sum + n, 0))]);
    const text = "Where the outlines of bound and unbound windows differ, a model may score well by GC content alone; compare the baselines.";
    const made = [heading("What bound and unbound windows are like")];
    if (drawn.length) made.push(figure("", text, charts("", drawn, legend.length ? legend : null)));
    if (oneWidth) made.push(plots.html("p", {}, `All ${count(widths.counts[0])} called peaks are ${count(widths.longest)} bp wide.`));
    return [...made, ...new Set([gc, widths].map(entry => entry.reason).filter(Boolean))].map(part => typeof part === "string" ? stated(part) : part);
  };
  const peaks = ({range, counts, window, median, longest}) => {
    const top = Math.max(...counts), label = `bp (median ${count(median)}, longest ${count(longest)})`;
    const chart = plots.chart({title: "Width of the called peaks", x: {label, domain: range}, y: {label: "peaks", domain: [0, 1.04 * top]}});
    plots.histogram(chart, range, counts, {...GREY, say: (from, to, n) => `${count(n)} peaks of ${number(from, 0)} bp to under ${number(to, 0)} bp`});
    if (window >= range[0] && window <= range[1]) plots.reference(chart, [window, 0], [window, top], `window: ${window} bp`);
    return plots.readout(chart);
  };

  return {curves, distributions, calibration, learning, examples, short};
})();
