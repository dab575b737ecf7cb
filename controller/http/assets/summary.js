// Copyright (c) 2026, The Plumb authors
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
// The head of the page: the verdict, what it is about, the clusters, and the fields of the search.

import { href } from "./address.js";
import { anchor } from "./cluster.js";
import { h, show } from "./elements.js";
import { mark } from "./finding.js";
import { CALM, NOT_IN_SYNC, STATES, counted, listed, reverted } from "./words.js";

const element = (id) => document.getElementById(id);

export function title(heads) {
  const off = heads.filter(isOff);
  return off.length ? `(${off.length}) ${listed(off.slice(0, 2).map((head) => head.name))} – Plumb` : "Plumb";
}

export function summary(overview, heads, isSmall) {
  const off = heads.filter(isOff);
  const quiet = heads.filter((head) => head.state !== "in sync" && CALM.has(head.state));
  const apps = Object.values(overview.counts.apps).reduce((sum, number) => sum + number, 0);
  const running = heads.filter((head) => head.running_since);
  const states = Object.entries(overview.counts.apps).filter(([state]) => state !== "in sync");
  return [
    h("h1", { id: "verdict", class: off.length ? STATES[off[0].state].tone : "good" }, verdict(heads, off, quiet, isSmall)),
    off.length && isSmall ? h("p", { class: "reasons" }, off.length === 1 ? gist(off[0]) : off.slice(0, 3).map((head) => h("span", null, h("b", null, head.name), " ", gist(head)))) : null,
    h("p", { class: "sub" },
      `${counted(heads.length, "cluster")} · ${counted(apps, "app")} · reverted: ${reverted(overview.reverts)}`,
      running.length ? ` · ${counted(running.length, "run")} under way` : "",
      overview.leader ? "" : " · another agent leads; this one waits"),
    heads.length > 1 && isSmall ? h("nav", { "aria-label": "Clusters" }, tiles(heads, (head) => `#${anchor(head)}`)) : null,
    states.length ? h("p", { class: "states" }, states.map(([state, number]) => h("a", { href: href({ state }), class: STATES[state].tone }, `${counted(number, "app")} ${STATES[state].word.toLowerCase()}`))) : null,
  ];
}

export function fillFilters(heads, chosen) {
  const states = [["", "any"], [NOT_IN_SYNC, "not in sync"], ...Object.entries(STATES).map(([state, { word }]) => [state, word.toLowerCase()])];
  choose("state", states, chosen.state);
  choose("cluster", [["", "all"], ...heads.map(({ name }) => [name, name]).sort()], chosen.cluster);
  if (document.activeElement !== element("q")) element("q").value = chosen.q;
}

function choose(id, options, value) {
  const known = options.some(([each]) => each === value) ? options : [...options, [value, value]];
  show(element(id), known.map(([each, text]) => h("option", { value: each, "data-key": each || "none" }, text)));
  element(id).value = value;
}

function isOff(head) {
  return !CALM.has(head.state);
}

// Many clusters: those that are not in sync, and the others on request. Each leads to all of it.
export function clusters(heads) {
  const [good, others] = [heads.filter((head) => head.state === "in sync"), heads.filter((head) => head.state !== "in sync")];
  return h("nav", { "aria-label": "Clusters" },
    others.length ? tiles(others, chosen) : null,
    good.length ? h("details", { class: "rest", "data-key": "good" }, h("summary", null, `${counted(good.length, "cluster")} in sync`), tiles(good, chosen)) : null);
}

function chosen(head) {
  return href({ cluster: head.name });
}

function tiles(heads, address) {
  return h("ul", { class: "tiles" }, heads.map((head) => h("li", { "data-key": head.name },
    h("a", { href: address(head), class: `tile ${STATES[head.state].tone}`, title: head.progress?.text }, h("b", null, head.name), head.running_since ? h("span", { class: "running" }, "running") : null, mark(STATES[head.state])))));
}

// `1 app refused, 2 drifted`; the cluster below has the rest.
function gist(head) {
  const counts = Object.entries(head.counts).filter(([state]) => !CALM.has(state));
  const text = counts.map(([state, number], at) => at ? `${number} ${state}` : `${counted(number, "app")} ${state}`).join(", ");
  return text || (head.why[0] || {}).text || "";
}

function verdict(heads, off, quiet, isSmall) {
  if (!heads.length) return "There is no cluster in the inventory";
  if (off.length === 1) return `${off[0].name} ${STATES[off[0].state].says}`;
  if (off.length && !isSmall) return `${off.length} of ${counted(heads.length, "cluster")} are not what Git says`;
  if (off.length) return `${listed(off.slice(0, 2).map((head) => head.name).concat(off.length > 2 ? [counted(off.length - 2, "other cluster")] : []))} are not what Git says`;
  if (quiet.length === heads.length) return heads.length === 1 ? `${heads[0].name} ${STATES[heads[0].state].says}` : quiet.every((head) => head.state === "pending") ? "No cluster has had a run yet" : "No cluster is in sync yet";
  if (!quiet.length) return "Everything is what Git says";
  return quiet.some((head) => head.state !== "suspended") ? `${counted(quiet.length, "cluster")} on the way, all else is what Git says` : "All that is not suspended is what Git says";
}
