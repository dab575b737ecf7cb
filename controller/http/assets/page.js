// Copyright (c) 2026, The Plumb authors
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
// The page: signs in, gets the state, listens for what changes, and gets that anew. It never writes to a cluster.

import { filter, go, href, isSearch } from "./address.js";
import { results } from "./apps.js";
import { causes } from "./causes.js";
import { cluster, keyOf } from "./cluster.js";
import { h, show, tick } from "./elements.js";
import { isLost, listen, live, lose, none, stop, tickLink } from "./link.js";
import { clusters, fillFilters, summary, title } from "./summary.js";
import { STATES, FINDING_KINDS, setClock, who } from "./words.js";

const FEW_CLUSTERS = 6; // of so many each is shown in full; of more, the one that is chosen
const TYPING = 200; // milliseconds
const ROUNDS = 2; // an overview, and then what it makes necessary, before the page counts as of now
const MOST_SPOKEN = 3; // changes in one announcement
const ORDER = Object.keys(STATES);

const element = (id) => document.getElementById(id);
const details = new Map(); // by name: all of a cluster
const wanted = new Set(); // what is to be loaded: "overview", "apps", "cluster/<name>"
let overview = null;
let apps = null;
let isLoading = false;
let typing = 0;

// Who reads, and whether anyone may.

async function begin() {
  try {
    const answer = await fetch("api/v1/session");
    if (!answer.ok) throw new Error(await reasonOf(answer));
    const session = await answer.json();
    if (!session.by) return closed(session);
    element("who").hidden = session.by === "token";
    element("reader").textContent = session.name;
    element("leave").hidden = session.by !== "session";
    element("signing-in").hidden = element("closed").hidden = true;
    listen({ begin, alive, changed });
  } catch (error) {
    lose(error, begin);
  }
}

function closed(session) {
  none();
  details.clear();
  overview = apps = null;
  for (const place of ["summary", "results", "causes", "clusters"]) element(place).replaceChildren();
  element("fleet").hidden = element("who").hidden = true;
  element("closed").hidden = session.sign_in;
  const wasHidden = element("signing-in").hidden;
  element("signing-in").hidden = !session.sign_in;
  document.title = "Sign in – Plumb";
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

function alive() {
  if (!overview || isLost()) want("overview", ...shownInFull().map((name) => `cluster/${name}`), ...(isSearch(filter()) ? ["apps"] : []));
}

function changed(names) {
  const full = new Set(shownInFull());
  want("overview", ...names.filter((name) => full.has(name)).map((name) => `cluster/${name}`), ...(isSearch(filter()) ? ["apps"] : []));
}

function shownInFull() {
  const { cluster: chosen } = filter();
  if (chosen) return [chosen];
  return overview && overview.clusters.length <= FEW_CLUSTERS ? overview.clusters.map((head) => head.name) : [];
}

// Loads what is wanted, one answer after the other; the more work an answer is, the longer until the next.
async function want(...what) {
  what.forEach((each) => wanted.add(each));
  if (isLoading) return;
  isLoading = true;
  try {
    while (wanted.size) {
      const began = performance.now();
      for (let round = 0; wanted.size && round < ROUNDS; round += 1) {
        const batch = [...wanted];
        wanted.clear();
        for (const each of batch) await load(each);
        render();
      }
      live();
      await new Promise((resolve) => setTimeout(resolve, Math.min(5000, 3 * (performance.now() - began))));
    }
  } catch (error) {
    wanted.clear();
    stop();
    if (error !== SIGNED_OUT) lose(error, begin);
    else begin();
  } finally {
    isLoading = false;
  }
}

const SIGNED_OUT = new Error("signed out");

async function load(what) {
  if (what === "overview") return take(await get("api/v1/state"));
  if (what === "apps") {
    const { q, state, cluster: chosen, from } = filter();
    apps = await get(`api/v1/apps?${new URLSearchParams({ q, state, cluster: chosen, offset: from || "0" })}`);
    return;
  }
  const name = what.slice("cluster/".length);
  const state = await get(`api/v1/state?cluster=${encodeURIComponent(name)}`);
  if (!state) return details.delete(name);
  const [shown] = state.clusters;
  const before = details.get(name);
  details.set(name, shown);
  if (before) announce(happened(before, shown));
}

// An answer's content; null where there is no such thing.
async function get(path) {
  const answer = await fetch(path);
  if (answer.status === 401) throw SIGNED_OUT;
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Error(await reasonOf(answer));
  const content = await answer.json();
  setClock(Date.parse(content.time) / 1000);
  return content;
}

function take(state) {
  const before = new Map((overview ? overview.clusters : []).map((head) => [head.name, head.state]));
  overview = state;
  const names = new Set(state.clusters.map((head) => head.name));
  for (const name of [...details.keys()]) if (!names.has(name)) details.delete(name);
  for (const name of shownInFull()) if (!details.has(name) && names.has(name)) wanted.add(`cluster/${name}`);
  announce(state.clusters.filter((head) => before.has(head.name) && before.get(head.name) !== head.state).map((head) => `${head.name} ${STATES[head.state].says}`));
}

// What has changed, in a sentence, for screen readers.
function announce(sentences) {
  if (!sentences.length) return;
  const more = sentences.length - MOST_SPOKEN;
  element("announcement").textContent = `${[...sentences.slice(0, MOST_SPOKEN), ...(more > 0 ? [`and ${more} more changes`] : [])].join(". ")}.`;
}

function happened(before, shown) {
  const known = new Set(before.timeline.map(keyOf));
  return shown.timeline.filter((each) => !known.has(keyOf(each))).map((moment) => {
    const what = (FINDING_KINDS[moment.what] || {}).word || moment.what;
    if (moment.what === "applied") return `${shown.name}: applied what Git says`;
    const [change] = moment.changes || [];
    const by = change && who(change.culprit);
    return `${shown.name}: ${moment.object} ${change ? change.path : ""}: ${what}${by ? `, changed by ${by}` : ""}`;
  });
}

// What is shown.

function render() {
  if (!overview) return;
  const chosen = filter();
  const heads = [...overview.clusters].sort((head, other) => ORDER.indexOf(head.state) - ORDER.indexOf(other.state) || head.name.localeCompare(other.name));
  const full = new Set(shownInFull());
  const isFleet = !chosen.cluster && !isSearch(chosen);
  fillFilters(heads, chosen);
  show(element("summary"), summary(overview, heads, heads.length <= FEW_CLUSTERS));
  show(element("results"), isSearch(chosen) ? results(apps, chosen) : null);
  show(element("causes"), isFleet ? causes(overview.causes.filter((cause) => heads.length > FEW_CLUSTERS || cause.cluster_count + cause.app_count > 2), overview.more_causes) : null);
  show(element("clusters"), isSearch(chosen) ? null : isFleet && !full.size ? clusters(heads) : chosenClusters(heads, full, chosen));
  element("fleet").hidden = false;
  document.title = title(heads);
  tick();
}

function chosenClusters(heads, full, chosen) {
  const back = chosen.cluster ? h("p", { class: "pages" }, h("a", { href: href({}) }, "All clusters")) : null;
  if (chosen.cluster && !heads.some((head) => head.name === chosen.cluster)) return [back, h("p", { class: "calm" }, `The agent has no cluster ${chosen.cluster}.`)];
  return [back, heads.filter((head) => full.has(head.name)).map((head) => cluster(head, details.get(head.name)))];
}

// What is looked for.

function look(values, begins) {
  apps = null;
  go(values, begins);
  looked();
}

function looked() {
  render();
  want(...(isSearch(filter()) ? ["apps"] : []), ...shownInFull().filter((name) => !details.has(name)).map((name) => `cluster/${name}`));
}

function formValues() {
  return { q: element("q").value, state: element("state").value, cluster: element("cluster").value };
}

element("filters").addEventListener("submit", (event) => event.preventDefault());
element("filters").addEventListener("reset", (event) => {
  event.preventDefault();
  look({}, true);
  element("q").focus();
});
element("q").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => look(formValues(), !isSearch(filter())), TYPING);
});
for (const id of ["state", "cluster"]) element(id).addEventListener("change", () => look(formValues(), true));
addEventListener("popstate", () => {
  apps = null;
  looked();
});
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='?']");
  if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  look(Object.fromEntries(new URLSearchParams(link.getAttribute("href"))), true);
  element("main").focus();
});
element("sign-in").addEventListener("submit", signIn);
element("leave").addEventListener("click", signOut);
setInterval(() => {
  tick();
  tickLink();
}, 1000);
begin();
