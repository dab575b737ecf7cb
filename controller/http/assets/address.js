// Copyright (c) 2026, The Plumb authors
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
// What a reader looks for, kept in the address: it survives a reload, goes back with the browser, and can be sent to others.

const NAMES = ["q", "state", "cluster", "from"];

export function filter() {
  const values = new URLSearchParams(location.search);
  return Object.fromEntries(NAMES.map((name) => [name, values.get(name) || ""]));
}

// The address of other values; `hash` is a place on the page.
export function href(values) {
  const present = NAMES.filter((name) => values[name]).map((name) => [name, values[name]]);
  return `?${new URLSearchParams(present)}`;
}

// Whether apps are looked for, and not only a cluster is.
export function isSearch({ q, state }) {
  return Boolean(q.trim() || state);
}

// `begins`: a step that the browser can go back from. Typing is one step.
export function go(values, begins) {
  const address = href(values) === "?" ? location.pathname : href(values);
  history[begins ? "pushState" : "replaceState"](null, "", address);
}
