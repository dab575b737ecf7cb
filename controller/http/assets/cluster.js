// Copyright (c) 2026, The Plumb authors
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
// One cluster: its state and why, its revisions, what is not in sync, its apps, and what happened.

import { href } from "./address.js";
import { h, svg, time } from "./elements.js";
import { finding, mark } from "./finding.js";
import { NOT_IN_SYNC, RESULTS, STATES, FINDING_KINDS, counted, duration, now, reverted } from "./words.js";

const FEW = 8; // moments shown at once
const FEW_APPS = 12;
const FEW_FINDINGS = 12; // the others are found by the search
const SPANS = [[3600, "1 hour"], [6 * 3600, "6 hours"], [86400, "24 hours"], [7 * 86400, "7 days"], [30 * 86400, "30 days"]];

// `head` is what the overview has of a cluster, `shown` all of it, once that is loaded.
export function cluster(head, shown) {
  const state = STATES[head.state];
  const id = anchor(head);
  return h("section", { class: `cluster ${state.tone}`, id, "data-key": head.name, "data-state": head.state, "aria-labelledby": `${id}-name` },
    h("header", null,
      h("h2", { id: `${id}-name` }, head.name, h("span", { class: "unseen" }, ": ")),
      head.why.length ? reasons(head) : mark(state),
      h("p", { class: "pace" }, pace(head))),
    why(head),
    sources(shown || head),
    shown ? body(shown, id) : h("p", { class: "calm" }, "Loading …"));
}

function body(shown, id) {
  return [
    conflicts(shown),
    currentFindings(shown, id),
    h("details", { class: "more", "data-key": "more", open: isWorthIt(shown), "data-wish": isWorthIt(shown) ? "open" : "closed" },
      h("summary", null, h("span", null, "Apps and drift timeline"), h("span", { class: "aside" }, counts(shown))),
      apps(shown),
      timeline(shown, id)),
  ];
}

// A state that is not as it should be opens to its reasons.
function reasons(head) {
  return h("details", { class: "state", "data-key": "state" },
    h("summary", null, mark(STATES[head.state])),
    h("ul", { "aria-label": `Reasons of ${head.name}` }, head.why.map((reason) =>
      h("li", null, h("span", { class: "of" }, reason.app), reason.object ? [h("b", null, reason.object), ": "] : null, reason.text))));
}

export function anchor(shown) {
  return `cluster-${shown.name}`;
}

// Whether there is more to show than that all is well.
function isWorthIt(shown) {
  return shown.state !== "in sync" || shown.reverts.day > 0;
}

function pace(shown) {
  const last = shown.last_run;
  const parts = [];
  if (shown.running_since) parts.push(h("span", { class: "running" }, "Running since ", time(shown.running_since), shown.progress?.text ? `: ${shown.progress.text}` : ""));
  if (last.ended) parts.push(h("span", null, "Last run ", time(last.ended), `, ${RESULTS[last.result] || last.result} (${last.cause})`));
  if (last.ended && last.result !== "succeeded") parts.push(h("span", null, "Last successful run ", shown.last_successful_run ? time(shown.last_successful_run) : "never"));
  if (shown.backs_off_until) parts.push(h("span", null, "Its API server failed for all; left alone until ", time(shown.backs_off_until)));
  if (shown.next_run && !shown.running_since) parts.push(h("span", null, "Next ", time(shown.next_run)));
  return parts;
}

function counts(shown) {
  return `${counted(shown.apps.length, "app")}, ${counted(shown.objects, "object")}, reverted: ${reverted(shown.reverts)}`;
}

function held(app) {
  return app.objects;
}

// Reasons that are about no single object; objects are listed below, each with its reason.
function why(shown) {
  const reasons = shown.why.filter((reason) => !reason.object);
  if (!reasons.length) return null;
  return h("ul", { class: "why", "aria-label": `Why ${shown.name} ${STATES[shown.state].says}` }, reasons.map((reason) =>
    h("li", { class: (STATES[reason.state] || STATES.failed).tone }, reason.app ? h("span", { class: "of" }, reason.app) : null, reason.text)));
}

function sources(shown) {
  return h("ul", { class: "sources", "aria-label": `Revisions of ${shown.name}` }, shown.sources.map((source) =>
    h("li", null,
      h("span", { class: "of" }, source.name),
      source.commit ? h("code", { title: source.commit }, source.commit.slice(0, 7)) : null,
      source.ref && source.ref !== source.commit ? h("span", { class: "ref" }, source.resolved ? `${source.ref} (${source.resolved})` : source.ref) : null,
      source.subject ? h("q", null, source.subject) : null,
      source.author ? h("span", { class: "author" }, source.author, source.authored ? [", ", time(source.authored)] : null) : null,
      source.signer || source.signature ? h("span", { class: "signed" }, `signed ${source.signer || source.signature}`) : null,
      source.error ? h("span", { class: "wrong" }, source.error) : null,
      source.warning ? h("span", { class: "warning" }, source.warning) : null)));
}

function conflicts(shown) {
  if (!shown.conflicts.length) return null;
  return h("div", { class: "conflicts" },
    h("h3", null, "Field conflicts"),
    h("ul", null, shown.conflicts.map((conflict) => h("li", null,
      h("span", { class: "of" }, conflict.app), h("b", null, conflict.object), " ",
      conflict.field ? h("code", null, conflict.field) : null,
      conflict.reverts ? ` reverted ${counted(conflict.reverts, "time")} against ` : " keeps moving by ",
      h("strong", null, conflict.manager || "someone who left no entry"),
      conflict.waits ? `; changes start no run for ${duration(conflict.waits)}` : ""))));
}

function currentFindings(shown, id) {
  const findings = shown.apps.flatMap((app) => app.findings.map((each) => ({ ...each, app: app.name })));
  const unhealthy = shown.apps.flatMap((app) => app.unhealthy.map((each) => ({ ...each, what: "unhealthy", app: app.name, changes: [], error: [`${each.status}: ${each.message || "not there yet"}`, each.reasons?.[0]].filter(Boolean).join("; ") })));
  const all = [...findings, ...unhealthy];
  const hidden = shown.apps.reduce((sum, app) => sum + app.more_findings, 0);
  const [few, others] = [all.slice(0, FEW_FINDINGS), all.length - FEW_FINDINGS];
  const notes = shown.apps.flatMap((app) => [app.prune_blocked, ...app.warnings].filter(Boolean).map((text) => ({ app: app.name, text })));
  if (!all.length && !notes.length && !shown.unclaimed.length) return null;
  return [
    h("h3", { id: `${id}-now`, "data-key": "now-title" }, all.length ? `Not in sync: ${counted(all.length + hidden, "object")}` : "Remarks"),
    h("ul", { class: "findings", "data-key": "now", "aria-labelledby": `${id}-now` },
      few.map((each) => finding(each, { key: `${each.app}/${each.what}/${each.object}`, app: each.app, when: each.since ? h("span", { class: "when" }, "since ", time(each.since)) : null }))),
    others > 0 ? h("p", { class: "more" }, h("a", { href: href({ cluster: shown.name, state: NOT_IN_SYNC }) }, `${counted(others, "more object")}, by app`)) : null,
    hidden ? h("p", { class: "more" }, `and ${counted(hidden, "more object")}, in the report`) : null,
    notes.length ? h("ul", { class: "notes", "aria-label": "Remarks" }, notes.map((note) => h("li", null, h("span", { class: "of" }, note.app), note.text))) : null,
    shown.unclaimed.length ? h("p", { class: "notes" }, `No app claims these apply sets: ${shown.unclaimed.join(", ")}`) : null,
  ];
}

function apps(shown) {
  const isFew = shown.apps.length <= FEW_APPS;
  const notable = isFew ? shown.apps : shown.apps.filter((app) => app.state !== "in sync");
  const states = isFew ? [] : Object.entries(shown.counts);
  return [
    h("h3", null, "Apps"),
    states.length ? h("p", { class: "states" }, states.map(([state, number]) => h("a", { href: href({ cluster: shown.name, state }), class: STATES[state].tone }, `${counted(number, "app")} ${STATES[state].word.toLowerCase()}`))) : null,
    notable.length ? table(notable.slice(0, FEW_APPS), `Apps of ${shown.name}`) : null,
    notable.length > FEW_APPS ? h("p", { class: "more" }, h("a", { href: href({ cluster: shown.name, state: NOT_IN_SYNC }) }, counted(notable.length - FEW_APPS, "more app"))) : null,
  ];
}

function table(shown, label) {
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, h("table", { class: "apps", "aria-label": label },
    h("thead", null, h("tr", null, ["App", "State", "Revision", "Objects", "Reverted", "From"].map((word, at) => h("th", { scope: "col", class: at === 3 ? "number" : null }, word)))),
    h("tbody", null, shown.map((app) => h("tr", { "data-key": app.name },
      h("th", { scope: "row" }, app.name),
      h("td", null, mark(STATES[app.state]), app.suspended && app.state !== "suspended" ? ", suspended" : "", app.since && app.state !== "in sync" ? [" since ", time(app.since)] : "", app.waits_for ? `, waits for ${app.waits_for}` : ""),
      h("td", null, app.commit ? h("code", { title: app.commit }, app.commit.slice(0, 7)) : "–"),
      h("td", { class: "number" }, held(app).toLocaleString("en")),
      h("td", null, app.reverts.week ? reverted(app.reverts) : "–"),
      h("td", { class: "place" }, app.source ? h("code", null, `${app.source}: ${app.path}`) : ""))))));
}

function timeline(shown, id) {
  const title = h("h3", { id: `${id}-time` }, "Drift timeline");
  if (!shown.timeline.length) return [title, h("p", { class: "calm" }, "Nothing has happened since this agent keeps a record.")];
  const [first, later] = [shown.timeline.slice(0, FEW), shown.timeline.slice(FEW)];
  return [
    title,
    strip(shown.timeline),
    h("ol", { class: "findings", "data-key": "timeline", "aria-labelledby": `${id}-time` }, first.map(moment)),
    later.length ? h("details", { class: "rest", "data-key": "earlier" }, h("summary", null, `${counted(later.length, "earlier entry", "earlier entries")}`), h("ol", { class: "findings" }, later.map(moment))) : null,
  ];
}

// What distinguishes a moment from all others.
export function keyOf(entry) {
  return `${entry.since}/${entry.app}/${entry.what}/${entry.object}`;
}

function moment(entry) {
  const key = keyOf(entry);
  const when = h("span", { class: "when" }, time(entry.since));
  if (entry.what === "applied" || entry.what === "ended") {
    return h("li", { "data-key": key, class: "line" }, h("span", { class: "what" }, mark(FINDING_KINDS[entry.what])), h("span", { class: "gist" }, entry.what === "applied" ? applied(entry) : entry.error), h("span", { class: "aside" }, when));
  }
  return finding(entry, { key, when, app: entry.app });
}

function applied(entry) {
  const written = Object.entries(entry.written);
  const total = written.reduce((sum, [, number]) => sum + number, 0);
  const commits = Object.entries(entry.commits).map(([source, commit]) => [" ", h("code", null, `${source}@${commit.slice(0, 7)}`), entry.subjects[source] ? [" ", h("q", null, entry.subjects[source])] : ""]);
  return [`${counted(total, "object")} of ${written.map(([app]) => app).join(", ")}`, commits];
}

// Where in time things happened; the list below has the same in words.
function strip(moments) {
  const entries = moments.filter((entry) => entry.what !== "applied");
  if (!entries.length) return null;
  const age = (entry) => (now() - Date.parse(entry.since)) / 1000;
  const oldest = Math.max(...entries.map(age));
  const [span, word] = SPANS.find(([seconds]) => oldest <= seconds) || SPANS.at(-1);
  const at = (entry) => Math.max(2, 1000 - (age(entry) / span) * 1000);
  return h("div", { class: "strip", "aria-hidden": "true", "data-key": "strip" },
    svg("svg", { viewBox: "0 0 1000 28", preserveAspectRatio: "none" },
      svg("line", { x1: 0, x2: 1000, y1: 24, y2: 24, class: "axis" }),
      entries.filter((entry) => age(entry) <= span).map((entry) => svg("rect", { x: (at(entry) - 2).toFixed(1), y: 4, width: 4, height: 20, rx: 1.5, class: (FINDING_KINDS[entry.what] || FINDING_KINDS.failed).tone }))),
    h("p", null, h("span", null, `${word} ago`), h("span", null, "now")));
}
