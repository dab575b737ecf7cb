// Copyright (c) 2026, The Plumb authors
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
// The apps that a search matches, each of which opens to its reasons.

import { href } from "./address.js";
import { h, time } from "./elements.js";
import { mark } from "./finding.js";
import { STATES, counted, reverted } from "./words.js";

export function results(shown, filter) {
  if (!shown) return h("p", { class: "calm" }, "Searching …");
  const last = shown.offset + shown.apps.length;
  const range = shown.total > shown.apps.length ? `, ${shown.offset + 1} to ${last}` : "";
  return [
    h("h2", { id: "results-title", tabindex: "-1" }, shown.total ? `${counted(shown.total, "app")}${range}` : "No app matches"),
    h("ul", { class: "findings", "data-key": "results", "aria-labelledby": "results-title" }, shown.apps.map(row)),
    h("p", { class: "pages" },
      shown.offset ? h("a", { href: href({ ...filter, from: Math.max(0, shown.offset - 50) || "" }) }, "Earlier ones") : null, " ",
      last < shown.total ? h("a", { href: href({ ...filter, from: last }) }, "Later ones") : null),
  ];
}

function row(app) {
  const [first] = app.reasons;
  return h("li", { "data-key": `${app.cluster}/${app.name}` },
    h("details", { class: `finding ${STATES[app.state].tone}` },
      h("summary", null,
        h("span", { class: "what" }, mark(STATES[app.state])),
        h("span", { class: "gist" }, h("b", null, `${app.cluster} / ${app.name}`), " ", first ? h("span", { class: "say" }, `${first.object} ${first.text}`) : null),
        h("span", { class: "aside" }, counted(app.objects, "object"))),
      h("div", { class: "body" },
        app.reasons.map((reason) => h("p", { class: "reason" }, reason.object ? [h("b", null, reason.object), ": "] : null, reason.text)),
        app.more_reasons ? h("p", { class: "more" }, `and ${counted(app.more_reasons, "more reason")}, in the report`) : null,
        h("dl", { class: "facts" },
          app.since ? fact("Since", time(app.since)) : null,
          app.waits_for ? fact("Waits for", app.waits_for) : null,
          app.commit ? fact("Revision in force", h("code", { title: app.commit }, app.commit.slice(0, 7))) : null,
          fact("Source", app.source ? h("code", null, `${app.source}: ${app.path}`) : "unknown"),
          fact("Reverted", reverted(app.reverts)),
          fact("Cluster", h("a", { href: href({ cluster: app.cluster }) }, app.cluster))))));
}

function fact(word, value) {
  return h("div", null, h("dt", null, word), h("dd", null, value));
}
