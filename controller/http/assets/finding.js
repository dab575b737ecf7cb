// Copyright (c) 2026, The Plumb authors
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
// One object that was not in sync: what became of it, field by field, and who did it.

import { h, time } from "./elements.js";
import { FINDING_KINDS, counted, who } from "./words.js";

const NONE = "(none)";
const CONTEXT = 2; // lines shown around those of a text that differ

// A mark whose meaning is in its word; sign and colour only repeat it.
export function mark(described) {
  return h("span", { class: `mark ${described.tone}` }, h("span", { "aria-hidden": "true" }, described.sign), ` ${described.word}`);
}

// A finding that can be opened. `when` is the element with its time.
export function finding(shown, { key, when, app }) {
  const what = FINDING_KINDS[shown.what] || { word: shown.what, sign: "?", tone: "warn" };
  return h("li", { "data-key": key },
    h("details", { class: `finding ${what.tone}` },
      h("summary", null,
        h("span", { class: "what" }, mark(what)),
        h("span", { class: "gist" }, h("b", null, shown.object), " ", gist(shown)),
        h("span", { class: "aside" }, app ? h("span", { class: "of" }, app) : null, when)),
      h("div", { class: "body" }, shown.reasons?.length ? shown.reasons.map((line) => h("p", { class: "reason" }, line)) : reason(shown), shown.changes.length ? changes(shown) : null, shown.culprit ? h("p", { class: "person" }, "Deleted by ", person(shown.culprit)) : null, facts(shown))));
}

function gist(shown) {
  const [first, ...rest] = shown.changes;
  if (!first) return h("span", { class: "say" }, shown.error || shown.reason || deleted(shown));
  const more = rest.length + (shown.more_changes || 0);
  const by = [...new Set(shown.changes.map((change) => who(change.culprit)).filter(Boolean))];
  return [
    h("code", { class: "path" }, first.path), " ", inline(first),
    more ? h("span", { class: "say" }, ` and ${counted(more, "more field")}`) : null,
    by.length ? h("span", { class: "by" }, " by ", h("strong", null, by[0]), by.length > 1 ? ` and ${by.length - 1} more` : "") : null,
    first.cause !== "git" && !by.length ? h("span", { class: "by" }, " by someone who is not recorded") : null,
  ];
}

function deleted(shown) {
  if (shown.what !== "reverted" && shown.what !== "drifted") return "";
  const by = who(shown.culprit);
  return by ? `deleted by ${by}` : "deleted by someone who is not recorded";
}

// `9 → 3`, of short values only.
function inline(change) {
  const [live, desired] = texts(change);
  if (change.cause === "addition") return h("span", { class: "say" }, "added");
  if (live.length + desired.length > 48 || `${live}${desired}`.includes("\n")) return h("span", { class: "say" }, "changed");
  return h("span", { class: "step" }, value("del", live), h("span", { class: "to" }, h("span", { class: "unseen" }, " where Git says "), h("span", { "aria-hidden": "true" }, "→")), value("ins", desired));
}

function reason(shown) {
  const texts = [shown.reason, shown.error && shown.error !== shown.reason && shown.error, shown.warning && `Warning: ${shown.warning}`];
  return texts.filter(Boolean).map((text) => h("p", { class: "reason" }, text));
}

function changes(shown) {
  const more = shown.more_changes ? h("p", { class: "more" }, `and ${counted(shown.more_changes, "more field")}, in the report`) : null;
  const head = ["Field", "In the cluster", "Git says", "Changed by"];
  return [
    h("table", { class: "fields", role: "table" },
      h("caption", { class: "unseen" }, `Fields of ${shown.object}`),
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, head.map((word) => h("th", { scope: "col", role: "columnheader" }, word)))),
      h("tbody", { role: "rowgroup" }, shown.changes.map((change) => row(change, head)))),
    more,
  ];
}

function row(change, head) {
  const [live, desired] = sides(change);
  return h("tr", { role: "row" },
    h("th", { scope: "row", role: "rowheader", "data-word": head[0] }, h("code", null, change.path)),
    h("td", { role: "cell", "data-word": head[1] }, live),
    h("td", { role: "cell", "data-word": head[2] }, desired),
    h("td", { role: "cell", "data-word": head[3] }, culprit(change)));
}

function sides(change) {
  const [live, desired] = texts(change);
  if (`${live}${desired}`.includes("\n")) return differing(live, desired);
  return [value("del", live), value("ins", desired)];
}

function value(name, text) {
  return text === NONE ? h("span", { class: "say" }, text) : h(name, null, text);
}

function texts({ live, desired }) {
  const alike = typeof live !== typeof desired && String(live) === String(desired);
  return [live, desired].map((value) => text(value, alike));
}

// The value as a person reads it; as JSON where plain text would look alike (`"1"` and `1`).
function text(value, asJson) {
  if (value === undefined) return NONE;
  return typeof value === "string" && value !== "" && !asJson ? value : JSON.stringify(value, null, isNested(value) ? 1 : 0);
}

function isNested(value) {
  return value !== null && typeof value === "object";
}

// Two texts of several lines: what differs, with a little of what does not around it.
function differing(live, desired) {
  if (live === NONE || desired === NONE) return [["del", live], ["ins", desired]].map(([name, side]) => side === NONE ? value(name, side) : h("pre", { tabindex: "0" }, side.split("\n").map((line) => h(name, null, line || " "))));
  const [left, right] = [live.split("\n"), desired.split("\n")];
  let start = 0;
  while (start < left.length && start < right.length && left[start] === right[start]) start += 1;
  let end = 0;
  while (end < Math.min(left.length, right.length) - start && left.at(-1 - end) === right.at(-1 - end)) end += 1;
  return [[left, "del"], [right, "ins"]].map(([lines, name]) => {
    const last = lines.length - end;
    const before = lines.slice(Math.max(0, start - CONTEXT), start);
    const after = lines.slice(last, last + CONTEXT);
    return h("pre", { tabindex: "0" },
      [start > CONTEXT && "…", ...before].filter((line) => line !== false).map(plain),
      lines.slice(start, last).map((line) => h(name, null, line || " ")),
      [...after, end > CONTEXT && "…"].filter((line) => line !== false).map(plain));
  });
}

function plain(line) {
  return h("span", null, line || " ");
}

function culprit({ cause, culprit: by }) {
  if (cause === "git") return "Git, by a commit";
  return by ? person(by) : "someone who is not recorded";
}

// All that is known of who did something, and from what.
function person(by) {
  const means = [by.user && by.manager, by.verb || by.operation, by.subresource].filter(Boolean).join(", ");
  const lines = [
    by.groups?.length && `of ${[by.groups].flat().join(", ")}`,
    by.addresses?.length && `from ${[by.addresses].flat().join(", ")}`,
    by.user_agent,
    by.time ? time(by.time) : "time not recorded",
    `evidence: ${by.evidence || "managedFields"}`,
  ];
  return [
    by.one_of?.length ? h("strong", null, who(by)) : h("strong", null, by.user || by.manager || "not recorded"),
    means ? ` (${means})` : null,
    lines.filter(Boolean).map((line) => h("span", { class: "line" }, line)),
  ];
}

function facts(shown) {
  const commits = Object.entries(shown.commits || {}).map(([source, commit]) => `${source}@${commit.slice(0, 7)}`);
  const entries = [
    shown.origin && ["In Git", h("code", null, shown.origin)],
    commits.length && ["Revision", h("code", null, commits.join(", "))],
    shown.since && ["Since", time(shown.since)],
    shown.times > 1 && ["Found", `${shown.times} times, the last one `, time(shown.time)],
  ];
  const present = entries.filter(Boolean);
  return present.length ? h("dl", { class: "facts" }, present.map(([word, ...value]) => h("div", null, h("dt", null, word), h("dd", null, value)))) : null;
}
