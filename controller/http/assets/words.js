// Copyright (c) 2026, The Plumb authors
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
// The words for states, findings and results, and times relative to now.

export const STATES = {
  failed: { word: "Failed", sign: "×", says: "is not what Git says", tone: "bad" },
  refused: { word: "Refused", sign: "×", says: "is not what Git says", tone: "bad" },
  unhealthy: { word: "Unhealthy", sign: "!", says: "is as Git says, but not healthy", tone: "warn" },
  conflicting: { word: "Conflicting", sign: "!", says: "is written by somebody else again and again", tone: "warn" },
  drifted: { word: "Drifted", sign: "!", says: "is not what Git says", tone: "warn" },
  unverified: { word: "Unverified", sign: "?", says: "could not be checked in full", tone: "warn" },
  "waiting for dependency": { word: "Waiting", sign: "…", says: "waits for another app", tone: "still" },
  "in progress": { word: "In progress", sign: "…", says: "is applied, and not healthy yet", tone: "still" },
  suspended: { word: "Suspended", sign: "‖", says: "is suspended", tone: "still" },
  pending: { word: "Pending", sign: "…", says: "has had no run yet", tone: "still" },
  "in sync": { word: "In sync", sign: "✓", says: "is what Git says", tone: "good" },
};

// The states that somebody should look at, as the search takes them.
export const NOT_IN_SYNC = "failed,refused,unhealthy,conflicting,drifted,unverified";

// States in which nobody has to look: it is well, on its way, or held on purpose.
export const CALM = new Set(["in sync", "in progress", "waiting for dependency", "pending", "suspended"]);

// What became of an object: a finding's or a moment's `what`.
export const FINDING_KINDS = {
  failed: { word: "Failed", sign: "×", tone: "bad" },
  refused: { word: "Refused", sign: "×", tone: "bad" },
  unverified: { word: "Unverified", sign: "?", tone: "warn" },
  drifted: { word: "Drifted, left so", sign: "!", tone: "warn" },
  reverted: { word: "Drifted, reverted", sign: "↺", tone: "drift" },
  skipped: { word: "Not attempted", sign: "–", tone: "still" },
  unhealthy: { word: "Unhealthy", sign: "!", tone: "warn" },
  applied: { word: "Applied", sign: "→", tone: "good" },
  ended: { word: "Run ended", sign: "×", tone: "bad" },
};

export const RESULTS = {
  succeeded: "succeeded",
  failed: "failed",
  deadline: "ended at its deadline",
  died: "died",
};

let clockOffset = 0; // milliseconds that the agent's clock is later than this one

export function setClock(seconds) {
  clockOffset = seconds * 1000 - Date.now();
}

export function now() {
  return Date.now() + clockOffset;
}

const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

export function duration(seconds) {
  const left = Math.max(0, Math.round(seconds));
  const [unit, size] = UNITS.find(([, size]) => left >= size) || UNITS[3];
  return `${Math.floor(left / size)} ${unit}`;
}

// `12 s ago`, `in 4 min`; an instant is RFC 3339.
export function relative(instant) {
  const seconds = (Date.parse(instant) - now()) / 1000;
  if (seconds > 0.5) return `in ${duration(seconds)}`;
  return seconds > -1.5 ? "just now" : `${duration(-seconds)} ago`;
}

export function absolute(instant) {
  return new Date(instant).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

export function counted(number, word, words) {
  return `${number.toLocaleString("en")} ${number === 1 ? word : words || `${word}s`}`;
}

// `2 in 1 h, 14 in 24 h, 60 in 7 d`
export function reverted({ hour, day, week }) {
  if (!week) return "none in 7 d";
  return [[hour, "1 h"], [day, "24 h"], [week, "7 d"]].filter(([number]) => number).map(([number, span]) => `${number.toLocaleString("en")} in ${span}`).join(", ");
}

export function listed(names) {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

// Who changed a field, as far as that is known.
export function who(culprit) {
  if (!culprit) return "";
  if (culprit.one_of?.length) return `one of ${[culprit.one_of].flat().join(", ")}`;
  const name = culprit.user || culprit.manager || "";
  const by = [culprit.user && culprit.manager, culprit.subresource || culprit.verb || culprit.operation].filter(Boolean);
  return by.length ? `${name} (${by.join(", ")})` : name;
}
