// Copyright (c) 2026, The Plumb authors
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
// What is wrong, by cause: a bad commit is one entry, with the clusters that it fails on.

import { href } from "./address.js";
import { h } from "./elements.js";
import { mark } from "./finding.js";
import { STATES, counted, listed } from "./words.js";

const FEW_NAMES = 3; // clusters named before an entry is opened

export function causes(shown, more) {
  if (!shown.length) return null;
  return [
    h("h2", { id: "causes-title" }, `${counted(shown.length + more, "cause")}`),
    h("ul", { class: "findings causes", "aria-labelledby": "causes-title" }, shown.map(cause)),
    more ? h("p", { class: "more" }, `and ${counted(more, "more cause")}`) : null,
  ];
}

function cause(shown) {
  return h("li", { "data-key": `${shown.state}/${shown.source}/${shown.commit}/${shown.reason}` },
    h("details", { class: `finding ${STATES[shown.state].tone}` },
      h("summary", null,
        h("span", { class: "what" }, mark(STATES[shown.state])),
        h("span", { class: "gist" }, h("b", null, extent(shown)), " ", h("span", { class: "say" }, shown.reason)),
        h("span", { class: "aside" }, shown.commit ? h("code", null, `${shown.source}@${shown.commit.slice(0, 7)}`) : null)),
      h("div", { class: "body" },
        h("p", { class: "reason" }, shown.reason),
        shown.commit ? h("p", null, "At the commit ", h("code", { title: shown.commit }, `${shown.source}@${shown.commit.slice(0, 7)}`), " ", shown.subject ? h("q", null, shown.subject) : null) : null,
        h("ul", { class: "affected", "aria-label": "Clusters with this cause" }, shown.clusters.map((cluster) => affected(cluster, shown.state))),
        shown.cluster_count > shown.clusters.length ? h("p", { class: "more" }, `and ${counted(shown.cluster_count - shown.clusters.length, "more cluster")}`) : null)));
}

// `prod-eu, prod-us and 10 other clusters, 40 apps`
function extent(shown) {
  const names = shown.clusters.map((cluster) => cluster.name);
  const first = shown.cluster_count > FEW_NAMES ? [...names.slice(0, FEW_NAMES - 1), counted(shown.cluster_count - FEW_NAMES + 1, "other cluster")] : names;
  return `${listed(first)}${shown.app_count ? `, ${counted(shown.app_count, "app")}` : ""}`;
}

function affected({ name, apps, first }, state) {
  const more = apps - first.length;
  return h("li", { "data-key": name },
    h("a", { href: href(apps ? { cluster: name, state } : { cluster: name }) }, name),
    first.length ? `: ${first.join(", ")}${more > 0 ? ` and ${counted(more, "more app")}` : ""}` : null);
}
