"use strict";
// The page: tables that sort, the table of all experiments, and panels that are unpacked when they are opened.
// Panels are drawn by `drawPanel(element, data, options)` of panels.js; what `data` is stands in docs/formats.md, "Report page".

(() => {
  const escape = text => String(text).replace(/[&<>"']/g, letter => `&#${letter.charCodeAt(0)};`);
  const three = value => value === null || value === undefined ? "–" : value.toFixed(3).replace("-", "−");
  const make = (name, attributes = {}, ...content) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(key, value);
    element.append(...content);
    return element;
  };
  // Missing values last, whichever way; numbers as numbers, words as words ("E2" before "E10").
  const words = new Intl.Collator("en", {numeric: true, sensitivity: "base"});
  const compare = (a, b, down) => {
    const missing = value => value === null || value === undefined || value === "" || Number.isNaN(value);
    if (missing(a) || missing(b)) return missing(a) - missing(b);
    const order = typeof a === "number" && typeof b === "number" ? a - b : words.compare(a, b);
    return down ? -order : order;
  };
  const turned = head => head.getAttribute("aria-sort") === "none"
    ? (head.classList.contains("n") ? "descending" : "ascending")
    : (head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending");
  const mark = (head, direction) => {
    for (const other of head.parentElement.children) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", direction);
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      head.setAttribute("aria-sort", "none");
      head.querySelector("button").addEventListener("click", () => {
        const direction = turned(head);
        mark(head, direction);
        const key = row => {
          const text = row.cells[column].dataset.v ?? row.cells[column].textContent.trim();
          if (text === "–" || text.startsWith("not defined") || (head.classList.contains("n") && !/\d/.test(text))) return null;
          return text !== "" && !Number.isNaN(Number(text)) ? Number(text) : text;
        };
        const keyed = [...table.tBodies[0].rows].map(row => [key(row), row]);
        keyed.sort((a, b) => compare(a[0], b[0], direction === "descending"));
        table.tBodies[0].append(...keyed.map(pair => pair[1]));
      });
    });
  }
  // navigator.clipboard may be missing: in old browsers, or in a page opened as a file.
  for (const button of document.querySelectorAll("button[data-copies]")) {
    const before = button.textContent;
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copies);
      let copied = false;
      try {
        await navigator.clipboard.writeText(source.innerText);
        copied = true;
      } catch {
        getSelection().selectAllChildren(source);
        copied = document.execCommand("copy");
      }
      button.textContent = copied ? "Copied" : "Press Ctrl+C";
      setTimeout(() => { button.textContent = before; }, 2000);
    });
  }

  // The table of all experiments.

  const data = JSON.parse(document.getElementById("results-data").textContent);
  const CHUNK = 120;
  const state = {metric: 0, column: null, down: false, words: [], tf: "", note: "", baselines: false, shown: 0, lines: []};
  const opened = new Map(); // experiment to its row
  const headlineAt = data.testSets.indexOf(data.headline);
  const kindOf = text => text.replace(/^\w+: /, "").replace(/suspicious:.*/, "suspicious").replace(/\d+(\.\d+)?/g, "n");
  const table = document.getElementById("results"), body = make("tbody");
  for (const line of data.lines) {
    [line.id, line.tf, line.biosample] = data.experiments[line.e];
    line.model = data.models[line.m].name;
    line.baseline = data.models[line.m].baseline;
    line.notes = line.w.map(number => data.texts[number]);
    line.reason = line.why === null ? "" : data.texts[line.why];
    line.state = line.status.replace("_", " ");
    line.kinds = new Set(line.notes.map(kindOf));
    line.text = [line.id, line.tf, line.biosample, line.model, line.split, line.scheme, line.state, line.reason, ...line.notes,
      line.motif ? `motif ${line.motif.recovered} ${line.motif.known ?? ""}` : ""].join(" ").toLowerCase();
  }
  const cellOf = (line, at) => line.v[state.metric][at];
  const scored = cell => Array.isArray(cell) ? cell : null;

  const measured = data.testSets.map((_, at) => at === headlineAt || data.lines.some(line => line.v.some(cells => Array.isArray(cells[at]))));
  const undefinedCell = (line, cell, at) => {
    const reason = typeof cell === "number" ? data.texts[cell] : line.reason || "not part of this run";
    const word = line.status !== "ok" ? line.state : reason.startsWith("not measured") ? "–" : "not defined";
    return `<td class="n none${measured[at] ? "" : " unmeasured"}"><abbr title="${escape(reason)}">${word}</abbr></td>`;
  };
  const scoreCell = (line, at) => {
    const score = scored(cellOf(line, at));
    if (!score) return undefinedCell(line, cellOf(line, at), at);
    const [value, low, high, floor, above, seeds] = score;
    const parts = [`<span class="v">${three(value)}</span>`];
    if (low !== null) parts.push(`<small>${three(low)} to ${three(high)}</small>`);
    if (floor !== null && line.model !== data.floor) parts.push(`<small>floor ${three(floor)}</small>`);
    if (data.several.seeds) parts.push(`<small>${seeds.length > 1 ? "seeds" : "seed"} ${seeds.map(seed => seed.toFixed(2).replace(/^0/, "")).join(" ")}</small>`);
    return `<td class="n${above ? " above" : ""}">${parts.join("")}</td>`;
  };
  const strip = line => {
    const score = scored(cellOf(line, headlineAt));
    if (!score) return "<td class='strip'></td>";
    const [value, low, high, floor, above, seeds] = score;
    const x = number => (4 + 92 * Math.min(1, Math.max(0, number))).toFixed(1);
    const colour = above ? "#0072b2" : "#6b7785";
    let marks = `<path d="M4 12H96" stroke="#d5dce2"/>`;
    if (low !== null) marks += `<path d="M${x(low)} 12H${x(high)}" stroke="${colour}" stroke-width="3"/>`;
    if (seeds.length > 1) marks += `<path d="${seeds.map(seed => `M${x(seed)} 7V17`).join("")}" stroke="${colour}"/>`;
    if (floor !== null) marks += `<path d="M${x(floor)} 6l4.5 6-4.5 6-4.5-6z" fill="#fff" stroke="#d55e00" stroke-width="1.6"/>`;
    marks += `<circle cx="${x(value)}" cy="12" r="3.2" fill="${above ? colour : "#fff"}" stroke="${colour}" stroke-width="1.5"/>`;
    return `<td class="strip"><svg width="100" height="24" aria-hidden="true">${marks}</svg></td>`;
  };
  const gainOf = line => {
    const score = scored(cellOf(line, headlineAt));
    return score && score[3] !== null && line.model !== data.floor ? score[0] - score[3] : null;
  };
  const gain = line => {
    const value = gainOf(line);
    if (value === null) return `<td class="n">–</td>`;
    return `<td class="n"><span class="${value > 0 ? "up" : "down"}">${value > 0 ? "+" : value < 0 ? "−" : "±"}${Math.abs(value).toFixed(3)}</span></td>`;
  };
  const motif = line => {
    if (!line.motif) return `<td class="none"><abbr title="no interpretation of this model: add it to interpretation.models">–</abbr></td>`;
    const {recovered, reason, known, q_value: q} = line.motif;
    const sort = recovered === "yes" ? "yes" : recovered === "no" ? "no" : "";
    const more = recovered === "not defined" ? "" : `<small>${escape(known ?? "")}${q === null || q === undefined ? "" : `, q ${q.toPrecision(1)}`}</small>`;
    return `<td class="wrap"><span class="pill ${sort}" title="${escape(reason || "")}">${escape(recovered)}</span>${more}</td>`;
  };
  const duration = seconds => seconds < 60 ? `${seconds.toFixed(0)} s` : seconds < 3600 ? `${(seconds / 60).toFixed(0)} min` : `${(seconds / 3600).toFixed(1)} h`;
  const cost = line => line.cost
    ? `<td class="n">${duration(line.cost[0])}<small>${(line.cost[1] / 1024).toFixed(1)} GB</small></td>`
    : `<td class="n none"><abbr title="no time was recorded for this model alone">–</abbr></td>`;
  const notes = line => `<td class="notes">${line.reason ? `<div class="reason">${escape(`${line.state}: ${line.reason.replace(/^not defined: /, "")}`)}</div>` : ""}${
    line.notes.slice(0, 3).map(note => `<div>${escape(note)}</div>`).join("")}${line.notes.length > 3 ? `<div>and ${line.notes.length - 3} more</div>` : ""}</td>`;
  const counts = line => {
    const found = line.n[headlineAt] ?? line.n.find(pair => pair);
    return found ? `<td class="n">${found[0].toLocaleString("en")}<small>of ${(found[0] + found[1]).toLocaleString("en")}</small></td>` : `<td class="n none">–</td>`;
  };
  const name = line => {
    const place = data.several.splits ? ` · ${escape(line.split)}` : "";
    const label = `${line.tf} in ${line.biosample}`;
    return `<td><button type="button" class="open" data-id="${escape(line.id)}" aria-expanded="${opened.has(line.id)}" aria-label="Open ${escape(label)}, ${escape(line.id)}">${escape(line.tf)}</button>`
      + `<small>${escape(line.biosample)}</small><small>${escape(line.id)}${place}</small></td>`;
  };
  const model = line => `<td>${line.baseline ? "" : "<strong>"}${escape(line.model)}${line.baseline ? "" : "</strong>"}${data.several.schemes ? `<small>${escape(line.scheme)}</small>` : ""}</td>`;

  const value = at => line => scored(cellOf(line, at))?.[0] ?? null;
  const columns = [
    {title: "Experiment", draw: name, key: line => `${line.tf} ${line.biosample} ${line.id}`},
    {title: "Model", draw: model, key: line => line.model},
    {title: "Bound", number: true, draw: counts, key: line => line.n[headlineAt]?.[0] ?? null, tip: `bound windows in test set ${data.headline}`},
    {title: "0 to 1", className: "strip", draw: strip},
    ...data.testSets.map((testSet, at) => ({title: at === headlineAt ? `${testSet} ★` : testSet, number: true, className: measured[at] ? "" : "unmeasured", draw: line => scoreCell(line, at),
      key: value(at), tip: at === headlineAt ? "the headline" : null})),
    {title: "Gain", number: true, draw: gain, key: gainOf, tip: `above the floor, on ${data.headline}`},
    {title: "Motif", draw: motif, key: line => line.motif && line.motif.recovered !== "not defined" ? line.motif.recovered : null, tip: "is the known motif among what drives the scores"},
    {title: "Cost", number: true, draw: cost, key: line => line.cost?.[0] ?? null, tip: "time of training and prediction, all seeds; highest memory"},
    {title: "Warnings", draw: notes, key: line => line.status === "ok" ? (line.notes.length ? String(line.notes.length) : null) : line.status},
  ];
  const heading = column => {
    const head = make("th", {scope: "col", class: [column.number ? "n" : "", column.className ?? ""].join(" ").trim() || null, title: column.tip ?? null});
    if (!column.key) return head.append(column.title), head;
    head.setAttribute("aria-sort", "none");
    const button = make("button", {type: "button"}, column.title);
    button.addEventListener("click", () => {
      const direction = turned(head);
      mark(head, direction);
      Object.assign(state, {column, down: direction === "descending"});
      update();
    });
    return head.append(button), head;
  };
  const row = line => `<tr class="${line.baseline ? "baseline" : "model"}">${columns.map(column => column.draw(line)).join("")}</tr>`;

  const chosen = line => (state.baselines || !line.baseline) && (!state.tf || line.tf === state.tf)
    && (!state.note || (state.note === "any" ? line.notes.length > 0 || line.status !== "ok"
      : state.note === "none" ? line.notes.length === 0 && line.status === "ok"
      : state.note.startsWith("status ") ? line.status === state.note.slice(7) : line.kinds.has(state.note)))
    && state.words.every(word => line.text.includes(word));

  const shown = document.getElementById("shown"), more = document.getElementById("more");
  const update = () => {
    state.lines = data.lines.filter(chosen);
    if (state.column) {
      const {column, down} = state;
      const keyed = state.lines.map(line => [column.key(line), line]);
      keyed.sort((a, b) => compare(a[0], b[0], down));
      state.lines = keyed.map(pair => pair[1]);
    }
    const kept = state.shown;
    body.replaceChildren();
    state.shown = 0;
    drawTo(Math.min(Math.max(CHUNK, opened.size ? kept : 0), state.lines.length));
    const experiments = new Set(state.lines.map(line => line.e)).size;
    shown.textContent = `${state.lines.length.toLocaleString("en")} lines of ${experiments.toLocaleString("en")} experiments (of ${data.experiments.length.toLocaleString("en")}).`;
  };
  const drawTo = end => {
    const holder = document.createElement("tbody");
    holder.innerHTML = state.lines.slice(state.shown, end).map(line => row(line)).join("");
    const rows = [...holder.rows];
    const fresh = state.lines.slice(state.shown, end);
    const before = new Set(state.lines.slice(0, state.shown).map(line => line.id));
    rows.forEach((made, place) => {
      body.append(made);
      const {id} = fresh[place];
      if (opened.has(id) && !before.has(id)) body.append(opened.get(id)); // below the first of its lines
      before.add(id);
    });
    state.shown = Math.max(end, state.shown);
    const left = state.lines.length - state.shown;
    more.hidden = left <= 0;
    more.replaceChildren();
    if (left > 0) {
      const button = make("button", {type: "button", class: "plain"}, `Show all ${state.lines.length.toLocaleString("en")} lines`);
      button.addEventListener("click", () => drawTo(state.lines.length));
      more.append(`${left.toLocaleString("en")} more lines follow as you scroll. `, button);
    }
  };

  const labelled = (text, control) => make("label", {}, text, control);
  const option = (text, given) => make("option", {value: given}, text);
  const onChange = (control, event, change) => { control.addEventListener(event, () => { change(control); update(); }); return control; };
  const controls = () => {
    const search = onChange(make("input", {type: "search", id: "search", placeholder: "CTCF K562, failed, motif no …"}), "input",
      control => { state.words = control.value.toLowerCase().split(/\s+/).filter(Boolean); });
    const tfs = [...new Set(data.lines.map(line => line.tf))].sort(words.compare);
    const tf = onChange(make("select", {id: "tf"}, option(`All ${tfs.length} TFs`, ""), ...tfs.map(text => option(text, text))), "change",
      control => { state.tf = control.value; });
    const kinds = [...new Set(data.lines.flatMap(line => [...line.kinds]))].sort();
    const statuses = [...new Set(data.lines.map(line => line.status))].filter(status => status !== "ok");
    const note = onChange(make("select", {id: "warning"}, option("Any or none", ""), option("With a warning", "any"), option("Without warnings", "none"),
      ...statuses.map(status => option(status.replace("_", " "), `status ${status}`)), ...kinds.map(kind => option(kind, kind))), "change",
      control => { state.note = control.value; });
    const metric = onChange(make("select", {id: "metric"}, ...data.metrics.map(([, title], number) => option(title, number))), "change",
      control => { state.metric = Number(control.value); });
    const baselines = onChange(make("input", {type: "checkbox", id: "baselines", role: "switch"}), "change",
      control => { state.baselines = control.checked; });
    state.baselines = baselines.checked = data.lines.every(line => line.baseline);
    const reset = make("button", {type: "button", class: "plain"}, "Reset");
    reset.addEventListener("click", () => clear());
    document.getElementById("controls").append(labelled("Words", search), labelled("TF", tf), labelled("Warnings", note), labelled("Metric", metric),
      make("label", {class: "switch"}, baselines, "with baselines"), reset);
  };
  const clear = () => {
    for (const id of ["search", "tf", "warning"]) document.getElementById(id).value = "";
    Object.assign(state, {words: [], tf: "", note: ""});
    update();
  };

  // Panels.

  const unpack = async id => {
    if (typeof DecompressionStream === "undefined") throw new Error("this browser cannot unpack the details; one of 2023 or newer can");
    if (!document.getElementById(`panel-${id}`) && document.readyState === "loading")
      await new Promise(done => document.addEventListener("DOMContentLoaded", done));
    const script = document.getElementById(`panel-${id}`);
    if (!script) throw new Error(`this report has no details of ${id}`);
    const bytes = Uint8Array.from(atob(script.textContent), letter => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  };
  const valueCell = cell => {
    if (cell === null) return `<td class="n none">–</td>`;
    if (typeof cell === "string") return `<td class="n none wrap"><small>${escape(cell)}</small></td>`;
    const [mean, low, high, , seeds, better] = cell;
    return `<td class="n${better ? " above" : ""}"><span class="v">${three(mean)}</span>`
      + `${low === null ? "" : `<small>${three(low)} to ${three(high)}</small>`}${seeds.length > 1 ? `<small>seeds ${seeds.map(seed => seed.toFixed(3).replace(/^0/, "")).join(" ")}</small>` : ""}</td>`;
  };
  const metricsTable = set => `<div class="wide"><table><thead><tr><th scope="col">Metric</th>${set.models.map(text => `<th scope="col" class="n">${escape(text)}</th>`).join("")}</tr></thead><tbody>${
    set.rows.map(([title, cells, , better]) => `<tr><th scope="row">${escape(title)}${better === "lower" ? " ↓" : ""}</th>${cells.map(valueCell).join("")}</tr>`).join("")}</tbody></table></div>`;
  const metricsOf = panel => {
    const several = new Set(panel.metrics.map(set => `${set.split} ${set.scheme}`)).size > 1;
    const parts = panel.metrics.map(set => `<details${set.testSet === data.headline ? " open" : ""}><summary>Test set ${escape(set.testSet)}${
      several ? `, ${escape(set.split)}, trained against ${escape(set.scheme)}` : ""}</summary>${metricsTable(set)}</details>`);
    return parts.length ? `<h4>All metrics</h4><p class="key">Mean of the seeds, interval, and each seed. Blue: the whole interval is better than the floor, and than chance. ↓: lower is better.</p>${parts.join("")}` : "";
  };
  const problemsOf = panel => {
    const rows = panel.problems.map(([status, reason, models, sets]) => `<li><strong>${escape(status.replace("_", " "))}</strong>, ${escape(models)} (test set ${escape(sets)}): ${escape(reason.replace(/^not defined: /, ""))}</li>`);
    const notes = panel.warnings.map(([note, models]) => `<li>${escape(note)} <span class="soft">(${escape(models)})</span></li>`);
    return rows.length + notes.length ? `<h4>Warnings, and what is not there</h4><ul>${notes.join("")}${rows.join("")}</ul>` : "";
  };
  const costsOf = panel => panel.costs.length ? `<h4>Cost</h4><div class="wide"><table><thead><tr><th scope="col">Job</th><th scope="col">Model</th><th scope="col" class="n">Time</th><th scope="col" class="n">Memory</th></tr></thead><tbody>${
    panel.costs.map(item => `<tr><td>${escape(item.job)}</td><td>${escape(item.model || "all")}</td><td class="n">${duration(item.s)}</td><td class="n">${(item.mb / 1024).toFixed(2)} GB</td></tr>`).join("")}</tbody></table></div>` : "";
  const panelOf = panel => {
    const close = make("button", {type: "button", class: "plain noprint"}, "Close");
    close.addEventListener("click", () => shut(panel.experiment));
    const link = make("a", {href: `#experiment=${panel.experiment}`, class: "noprint"}, "Link to this experiment");
    const title = make("h3", {}, `${panel.tf} `, make("small", {}, `in ${panel.biosample} · ${panel.experiment}`));
    const drawn = make("div", {class: "drawn"}), rest = make("div"), first = make("div");
    first.innerHTML = problemsOf(panel);
    rest.innerHTML = metricsOf(panel) + costsOf(panel);
    const section = make("section", {class: "panel", id: `opened-${panel.experiment}`, "aria-label": `${panel.tf} in ${panel.biosample}`, tabindex: "-1"},
      make("header", {}, title, link, close), first, drawn, rest);
    return [section, drawn];
  };
  const expand = (id, on) => { for (const button of body.querySelectorAll(`.open[data-id="${CSS.escape(id)}"]`)) button.setAttribute("aria-expanded", on); };
  const remember = hash => { try { history.replaceState(null, "", hash); } catch { /* a page inside another has no address of its own */ } };
  const open = async (id, line) => {
    const cell = make("td", {colspan: columns.length}), holder = make("tr", {class: "opened"}, cell);
    opened.set(id, holder);
    expand(id, true);
    (line ?? firstRow(id))?.after(holder);
    cell.append(make("p", {class: "soft", role: "status"}, "Unpacking …"));
    try {
      const panel = await unpack(id);
      const [section, drawn] = panelOf(panel);
      cell.replaceChildren(section);
      drawPanel(drawn, panel, {browser: data.browser, metric: data.metrics[0][0], floor: data.floor});
    } catch (error) {
      cell.append(make("p", {class: "warning", role: "alert"}, `Cannot show this experiment: ${error.message}`));
      throw error;
    }
    remember(`#experiment=${id}`);
    return holder;
  };
  const shut = id => {
    opened.get(id)?.remove();
    opened.delete(id);
    expand(id, false);
    if (location.hash === `#experiment=${id}`) remember("#experiments");
    firstRow(id)?.querySelector(".open").focus();
  };
  const firstRow = id => body.querySelector(`.open[data-id="${CSS.escape(id)}"]`)?.closest("tr");
  body.addEventListener("click", event => {
    const button = event.target.closest(".open");
    if (!button) return;
    if (opened.has(button.dataset.id)) shut(button.dataset.id);
    else open(button.dataset.id, button.closest("tr"));
  });
  const follow = async () => {
    const id = decodeURIComponent(location.hash.replace(/^#experiment=/, "").replace(/^#/, ""));
    if (!id || !data.experiments.some(([known]) => known === id)) return;
    if (!state.lines.some(line => line.id === id)) clear();
    if (!state.lines.some(line => line.id === id)) { document.getElementById("baselines").checked = state.baselines = true; update(); }
    drawTo(Math.max(state.shown, state.lines.findIndex(line => line.id === id) + 1));
    const holder = opened.get(id) ?? await open(id);
    (firstRow(id) ?? holder).scrollIntoView({block: "start"});
  };

  table.append(make("caption", {class: "skip"}, "All experiments and models"), make("thead", {}, make("tr", {}, ...columns.map(heading))), body);
  controls();
  update();
  // Only from above: who jumps to a section below the table gets there, and it does not move away under more lines.
  new IntersectionObserver(seen => {
    if (seen.some(entry => entry.isIntersecting) && state.shown < state.lines.length) drawTo(Math.min(state.shown + CHUNK, state.lines.length));
  }, {rootMargin: "-150px 0px 600px 0px"}).observe(more);
  addEventListener("hashchange", follow);
  addEventListener("beforeprint", () => {
    if (state.lines.length <= 1500) drawTo(state.lines.length);
    for (const details of document.querySelectorAll(".panel details")) details.open = true;
  });
  follow();
})();
