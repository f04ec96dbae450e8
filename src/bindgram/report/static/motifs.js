"use strict";
// What a model looks at: the verdict on the known motif, logos of patterns and of the strongest sites, faithfulness.

const motifs = (() => {
  const {html, number, count} = plots;
  const {heading, figure, charts, stated, reasons, place} = parts;
  const MOST_PATTERNS = 6;
  const SITE_BASES = 60; // of a window, shown: the stretch that matters most
  const note = text => html("p", {class: "note"}, text);
  const card = (title, logo, text) => html("div", {class: "card"}, html("p", {class: "name"}, title), logo, text ? note(text) : null);
  const q = value => {
    if (value === null || value === undefined) return "";
    if (value === 0) return "q < 1e−300";
    return `q = ${value >= 0.001 ? value.toPrecision(2) : value.toExponential(0).replace("-", "−")}`;
  };
  const named = match => [match.motif, match.tf].filter(Boolean).join(" ");
  const blank = n => Array.from({length: n}, () => []);
  const bits = (probabilities, label, before) => plots.logo([...blank(before), ...plots.informationColumns(probabilities)], {label, unit: "bits", range: [0, 2]});

  const verdict = ({model, verdict: found, reason}) => {
    const word = found?.recovered ?? "not defined", why = found?.reason || reason || "";
    const known = found?.known ? `the known motif ${found.known}` : "the known motif";
    const how = [q(found?.q_value), found?.pattern].filter(Boolean).join(", ");
    const sentence = {
      yes: `${model} recovered ${known}${how ? ` (${how})` : ""}.`,
      no: `${model} did not recover ${known}${why ? `: ${why}` : "."}`,
    }[word] ?? `${model}: ${why || "not defined"}`;
    return html("p", {class: "verdict"}, html("span", {class: `pill ${word === "yes" || word === "no" ? word : ""}`}, word), ` ${sentence}`);
  };

  const pattern = ({name, n_seqlets: n, probabilities, contributions, matches = [], reason = ""}) => {
    const best = matches[0], turned = rows => best?.reverse ? rows.map(row => [...row].reverse()).reverse() : rows;
    const shift = best?.start ?? 0, own = Math.max(0, -shift); // columns that stand free, so that pattern and motif lie alike
    const cards = [card(`${name} · ${count(n)} places`, bits(turned(probabilities), `Pattern ${name}`, own))];
    if (contributions) {
      const columns = [...blank(own), ...plots.matrixColumns(turned(contributions))];
      cards.push(card("what its bases add", plots.logo(columns, {label: `Contributions of ${name}`, unit: "log odds"})));
    }
    if (best?.probabilities) cards.push(card(named(best), bits(best.probabilities, `Known motif ${best.motif}`, Math.max(0, shift)), q(best.q_value)));
    const others = matches.slice(best?.probabilities ? 1 : 0).map(match => `${named(match)} (${q(match.q_value)})`);
    const like = others.length ? `${best.probabilities ? "Also like" : "Like"} ${others.join("; ")}` : best ? "" : reason || "Like no known motif";
    return html("div", {class: "pattern"}, html("div", {class: "cards"}, ...cards), like ? note(like) : null);
  };

  // First and end of the stretch of at most `SITE_BASES` whose bases matter most together.
  const stretch = importance => {
    let sum = 0, best = -1, start = 0;
    importance.forEach((value, at) => {
      sum += Math.abs(value) - (at >= SITE_BASES ? Math.abs(importance[at - SITE_BASES]) : 0);
      if (at >= SITE_BASES - 1 && sum > best) [best, start] = [sum, at - SITE_BASES + 1];
    });
    return [start, Math.min(importance.length, start + SITE_BASES)];
  };
  const sites = (found, assembly, options) => {
    const shown = found.map(site => ({...site, part: stretch(site.importance)}));
    const values = shown.flatMap(({importance, part}) => importance.slice(...part)), range = [Math.min(0, ...values), Math.max(0, ...values)];
    return shown.map(({chrom, start, end, strand, score, sequence, importance, part}) => {
      const columns = plots.importanceColumns(sequence.slice(...part), importance.slice(...part));
      const where = place(assembly, chrom, start, end, options, "a sequence without coordinates");
      return html("div", {class: "site"}, html("p", {class: "note"}, where, ` · score ${number(score, 2)}`, strand === "-" ? " · reverse strand" : ""),
        plots.logo(columns, {label: "Importance of each base", base: 8.4, height: 50, range, first: part[0] + 1}));
    });
  };

  const ORDERED = {colour: "#0072b2"}, RANDOM = {colour: "#5f6c79", dash: "5 3"};
  const faithfulness = found => {
    if (!found) return [];
    if (!found.fractions) return [stated(`faithfulness of the importance: ${parts.plain(found.reason)}`)];
    const drawn = [["deletion", "Deleting bases", "deleted"], ["insertion", "Inserting bases", "inserted"]].map(([kind, title, word]) => {
      const {attribution, random} = found[kind], domain = plots.extent([...attribution, ...random]);
      const chart = plots.chart({title, x: {label: `share of bases ${word}`, domain: [0, 1]}, y: {label: "score (log odds)", domain}});
      const say = name => (x, y) => `${name}: ${number(y, 2)} with ${(100 * x).toFixed(0)} % ${word}`;
      plots.line(chart, found.fractions, random, {...RANDOM, name: "at random", say: say("at random")});
      plots.line(chart, found.fractions, attribution, {...ORDERED, name: "most important first", say: say("most important first")});
      return plots.readout(chart);
    });
    const area = kind => `${kind} ${number(found[kind].area, 2)} (${number(found[kind].low, 2)} to ${number(found[kind].high, 2)})`;
    const text = "If importance is true to the model, the score falls (rises) sooner with the most important bases than with bases at random: "
      + `${found.verdict === "yes" ? "so it does" : "it does not for sure"}. Area between the curves: ${area("deletion")}, ${area("insertion")}.`;
    return [figure("", text, charts("", drawn, [["most important first", ORDERED], ["at random", RANDOM]]))];
  };

  // How far the sums of attributions are off, of the methods that have to sum to a difference of scores.
  const convergence = found => {
    const percent = share => share < 0.0005 ? "less than 0.1 %" : `${(100 * share).toFixed(1)} %`;
    const told = Object.entries(found ?? {}).filter(([, {status, convergence_error: error}]) => status === "ok" && typeof error === "number")
      .map(([name, {convergence_error: error}]) => `${name} by ${percent(error)}`);
    return told.length ? [note(`Attributions miss the difference of scores that they explain: ${told.join(", ")}.`)] : [];
  };

  const one = (found, panel, options) => {
    const made = [verdict(found)], patterns = found.patterns ?? [], strongest = found.sites ?? [];
    if (found.patterns_reason) made.push(note(`Patterns: ${found.patterns_reason}`));
    if (patterns.length) {
      const left = patterns.length - MOST_PATTERNS;
      const text = "Patterns that move the score wherever they stand, found in the importance of bases alone; tall letters are certain. "
        + `Beside each what its bases add to the score, and the known motif most like it.${left > 0 ? ` ${left} more were found in fewer places.` : ""}`;
      made.push(figure("", text, ...patterns.slice(0, MOST_PATTERNS).map(pattern)));
    }
    if (strongest.length) {
      const text = `The ${strongest.length} bound test windows with the highest scores: how much each base matters (${found.method ?? "importance"}); `
        + `letters below the line speak against binding. Of each window the ${SITE_BASES} bases that matter most, counted from its start.`;
      made.push(figure("", text, html("div", {class: "logos"}, ...sites(strongest, panel.assembly, options))));
    }
    return [...made, ...faithfulness(found.faithfulness), ...convergence(found.methods), ...reasons(Object.entries(found.methods ?? {}))];
  };
  const section = (data, panel, options) => {
    const found = (data.interpretations ?? []).filter(item => item.split === panel.split && item.scheme === panel.scheme);
    const none = stated("no model of this experiment was interpreted; name one under interpretation.models");
    return [heading("What the model looks at"), ...(found.length ? found.flatMap(item => one(item, panel, options)) : [none])];
  };
  return {section};
})();
