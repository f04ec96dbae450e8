"use strict";
// What an opened experiment shows beside its metrics. `data` is described in docs/formats.md, "Report page".

function drawPanel(element, data) {
  const add = (name, text, parent = element) => {
    const made = document.createElement(name);
    made.textContent = text;
    parent.append(made);
    return made;
  };
  for (const panel of data.panels) if (panel.status !== "ok") add("p", `${panel.split}, ${panel.scheme}: ${panel.reason}`);
  for (const step of data.filters) {
    add("h4", step.step);
    const list = add("ul", "");
    for (const [reason, n] of step.counts) add("li", `${reason}: ${n.toLocaleString("en")}`, list);
  }
}
