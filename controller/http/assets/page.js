// Copyright (c) 2026, The Plumb authors
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
// The page: signs in, gets the state, listens for what changes, and gets that anew. It never writes to a cluster.

import { anchor, cluster, keyOf } from "./cluster.js";
import { h, show, tick } from "./elements.js";
import { mark } from "./finding.js";
import { STATES, FINDING_KINDS, counted, listed, now, setClock, who } from "./words.js";

const SILENCE = 35000; // milliseconds without a sign of life after which the agent counts as gone
const RETRIES = [1000, 2000, 5000, 10000, 30000]; // milliseconds
const MOST_TILES = 24; // with more clusters, only of those that are not in sync
const ORDER = Object.keys(STATES);

const element = (id) => document.getElementById(id);
const clusters = new Map();
let agent = null;
let events = null;
let failures = 0;
let heard = 0;
let retry = 0;

// Who reads, and whether anyone may.

async function begin() {
  clearTimeout(retry);
  try {
    const answer = await fetch("api/v1/session");
    if (!answer.ok) throw new Error(await reasonOf(answer));
    const session = await answer.json();
    if (!session.by) return closed(session);
    element("who").hidden = session.by === "token";
    element("reader").textContent = session.name;
    element("leave").hidden = session.by !== "session";
    element("signing-in").hidden = element("closed").hidden = true;
    listen();
  } catch (error) {
    again(error);
  }
}

function closed(session) {
  stop();
  clusters.clear();
  element("fleet").hidden = element("who").hidden = true;
  element("closed").hidden = session.sign_in;
  const wasHidden = element("signing-in").hidden;
  element("signing-in").hidden = !session.sign_in;
  document.title = "Sign in – Plumb";
  link("none", "");
  if (session.sign_in && wasHidden) element("token").focus();
}

async function signIn(event) {
  event.preventDefault();
  element("token-wrong").textContent = "";
  let problem = "The agent does not answer.";
  try {
    const answer = await fetch("sign-in", { method: "POST", body: new URLSearchParams({ token: element("token").value }) });
    if (answer.ok) {
      element("token").value = "";
      await begin();
      element("main").focus();
      return;
    }
    problem = answer.status === 401 ? "This is not the token." : await reasonOf(answer);
  } catch {
    // the problem is set above
  }
  element("token-wrong").textContent = problem;
  element("token").select();
}

async function signOut() {
  await fetch("sign-out", { method: "POST" });
  await begin();
}

async function reasonOf(answer) {
  try {
    return `${(await answer.json()).error}.`;
  } catch {
    return `The agent answered ${answer.status}.`;
  }
}

// What changes. An event says only of which clusters; what is shown is always the whole state of those.

function stop() {
  if (events) events.close();
  events = null;
}

function listen() {
  stop();
  events = new EventSource("api/v1/events");
  events.addEventListener("alive", (event) => {
    alive(event);
    if (!agent || failures) get("");
  });
  events.addEventListener("changed", (event) => {
    const { clusters: changed } = alive(event);
    if (changed.length > 3) get("");
    else changed.forEach(get);
  });
  events.addEventListener("error", () => {
    stop();
    again(new Error("the agent does not answer"));
  });
}

function alive(event) {
  heard = Date.now();
  const message = JSON.parse(event.data);
  setClock(message.time);
  return message;
}

function again(error) {
  stop();
  const wait = RETRIES[Math.min(failures, RETRIES.length - 1)];
  failures += 1;
  link("lost", `Not live: ${error.message}. This is what was known last.`);
  clearTimeout(retry);
  retry = setTimeout(begin, wait);
}

async function get(name) {
  try {
    const answer = await fetch(name ? `api/v1/state?cluster=${encodeURIComponent(name)}` : "api/v1/state");
    if (answer.status === 401) return begin();
    if (answer.status === 404) clusters.delete(name);
    else if (!answer.ok) throw new Error(await reasonOf(answer));
    else take(await answer.json(), name);
    failures = 0;
    link("live", "Live");
    render();
  } catch (error) {
    again(error);
  }
}

function take(state, name) {
  setClock(Date.parse(state.time) / 1000);
  const isFirst = !agent;
  agent = state;
  if (!name) {
    const names = new Set(state.clusters.map((shown) => shown.name));
    for (const known of [...clusters.keys()]) if (!names.has(known)) clusters.delete(known);
  }
  for (const shown of state.clusters) {
    const before = clusters.get(shown.name);
    clusters.set(shown.name, shown);
    if (before && !isFirst) announce(before, shown);
  }
}

// What has changed, in a sentence, for screen readers.
function announce(before, shown) {
  const sentences = [];
  if (before.state !== shown.state) sentences.push(`${shown.name} ${STATES[shown.state].says}`);
  const known = new Set(before.timeline.map(keyOf));
  for (const moment of shown.timeline.filter((each) => !known.has(keyOf(each))).slice(0, 3)) {
    const what = (FINDING_KINDS[moment.what] || {}).word || moment.what;
    if (moment.what === "applied") sentences.push(`${shown.name}: applied what Git says`);
    else {
      const [change] = moment.changes || [];
      const by = change && who(change.culprit);
      sentences.push(`${shown.name}: ${moment.object} ${change ? change.path : ""}: ${what}${by ? `, changed by ${by}` : ""}`);
    }
  }
  if (sentences.length) element("announcement").textContent = `${sentences.join(". ")}.`;
}

// What is shown.

function link(state, text) {
  element("link").dataset.link = state;
  if (element("link").textContent !== text) element("link").textContent = text;
}

function render() {
  const all = [...clusters.values()].sort((shown, other) => ORDER.indexOf(shown.state) - ORDER.indexOf(other.state) || shown.name.localeCompare(other.name));
  const off = all.filter((shown) => !["in sync", "pending", "suspended"].includes(shown.state));
  show(element("summary"), summary(all, off));
  show(element("clusters"), all.map(cluster));
  element("fleet").hidden = false;
  document.title = off.length ? `(${off.length}) ${listed(off.slice(0, 2).map((shown) => shown.name))} – Plumb` : "Plumb";
  tick();
}

function summary(all, off) {
  const quiet = all.filter((shown) => ["pending", "suspended"].includes(shown.state));
  const apps = all.reduce((sum, shown) => sum + shown.apps.length, 0);
  const tiles = all.length > MOST_TILES ? all.filter((shown) => shown.state !== "in sync") : all;
  const reverted = all.flatMap((shown) => shown.timeline).filter((shown) => shown.what === "reverted" && now() - Date.parse(shown.since) < 86400000);
  return [
    h("h1", { id: "verdict", class: off.length ? STATES[off[0].state].tone : "good" }, verdict(all, off, quiet)),
    off.length ? h("p", { class: "reasons" }, off.length === 1 ? gist(off[0]) : off.slice(0, 3).map((shown) => h("span", null, h("b", null, shown.name), " ", gist(shown)))) : null,
    h("p", { class: "sub" },
      [counted(all.length, "cluster"), counted(apps, "app"), reverted.length ? `${counted(reverted.length, "drift")} reverted in the last 24 hours` : "no drift in the last 24 hours"].join(" · "),
      agent.leader ? "" : " · another agent leads; this one waits"),
    tiles.length > 1 ? h("nav", { "aria-label": "Clusters" }, h("ul", { class: "tiles" }, tiles.map((shown) => h("li", { "data-key": shown.name },
      h("a", { href: `#${anchor(shown)}`, class: `tile ${STATES[shown.state].tone}` }, h("b", null, shown.name), mark(STATES[shown.state])))))) : null,
  ];
}

// `1 object refused, 2 drifted`: the kinds of findings; the cluster below has the rest.
function gist(shown) {
  const kinds = shown.apps.flatMap((app) => [...app.findings.map((each) => each.what), ...app.unhealthy.map(() => "unhealthy")]);
  const counts = ["failed", "refused", "unhealthy", "drifted", "unverified"].map((what) => [kinds.filter((each) => each === what).length, what]).filter(([number]) => number);
  const text = counts.map(([number, what], at) => at ? `${number} ${what}` : `${counted(number, "object")} ${what}`).join(", ");
  return text || (shown.why[0] || {}).text || "";
}

function verdict(all, off, quiet) {
  if (!all.length) return "There is no cluster in the inventory";
  if (off.length === 1) return `${off[0].name} ${STATES[off[0].state].says}`;
  if (off.length) return `${listed(off.slice(0, 2).map((shown) => shown.name).concat(off.length > 2 ? [counted(off.length - 2, "other cluster")] : []))} are not what Git says`;
  if (quiet.length === all.length) return all.length === 1 ? `${all[0].name} ${STATES[all[0].state].says}` : "No cluster has had a run yet";
  return quiet.length ? "All that is not suspended is what Git says" : "Everything is what Git says";
}

element("sign-in").addEventListener("submit", signIn);
element("leave").addEventListener("click", signOut);
setInterval(() => {
  tick();
  if (events && heard && Date.now() - heard > SILENCE) again(new Error("the agent sends nothing any more"));
}, 1000);
begin();
