// Copyright (c) 2026, The Plumb authors
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
// Whether the agent answers: what it sends, since when it has sent nothing, and when it is asked again.

import { h, show } from "./elements.js";
import { absolute, setClock } from "./words.js";

const SILENCE = 35000; // milliseconds without a sign of life after which the agent counts as lost
const RETRIES = [1000, 2000, 5000, 10000, 30000]; // milliseconds
const element = (id) => document.getElementById(id);

let events = null;
let failures = 0;
let heard = Date.now(); // when the agent answered last; at first when the page was opened
let retry = 0;
let next = 0;
let again = () => {};

export function isLost() {
  return failures > 0;
}

// `begin` asks the agent anew; `alive` is called with each sign of life, `changed` with the names of changed clusters.
export function listen({ begin, alive, changed }) {
  again = begin;
  stop();
  events = new EventSource("api/v1/events");
  events.addEventListener("alive", (event) => {
    hear(event);
    alive();
  });
  events.addEventListener("changed", (event) => changed(hear(event).clusters));
  events.addEventListener("error", () => lose(new Error("the agent does not answer"), begin));
}

export function stop() {
  if (events) events.close();
  events = null;
}

function hear(event) {
  heard = Date.now();
  const message = JSON.parse(event.data);
  setClock(message.time);
  return message;
}

// An answer came: what is shown is of now.
export function live() {
  heard = Date.now();
  failures = 0;
  clearTimeout(retry);
  element("lost").hidden = true;
  delete document.body.dataset.stale;
  say("live", "Live");
}

// Nobody is asked, since nobody may read.
export function none() {
  stop();
  clearTimeout(retry);
  failures = 0;
  element("lost").hidden = true;
  delete document.body.dataset.stale;
  say("none", "");
}

export function lose(error, begin) {
  again = begin;
  stop();
  const wait = RETRIES[Math.min(failures, RETRIES.length - 1)] * (0.8 + 0.4 * Math.random());
  failures += 1;
  next = Date.now() + wait;
  clearTimeout(retry);
  retry = setTimeout(begin, wait);
  const since = new Date(heard).toISOString();
  say("lost", "Not live");
  // The time is an absolute one: an alert whose text changes each second would be read out each second.
  show(element("lost-text"), [
    h("strong", null, "The agent has been lost since ", h("span", { class: "since" }, absolute(since)), `: ${error.message}.`),
    " What is shown was known then, and may have changed.",
  ]);
  element("lost").hidden = false;
  document.body.dataset.stale = "";
  document.title = "Agent lost – Plumb";
  tickLink();
}

// Called each second: says when the agent is asked again, and notices that it has fallen silent.
export function tickLink() {
  if (events && Date.now() - heard > SILENCE) lose(new Error("it sends nothing any more"), again);
  const left = Math.max(0, Math.round((next - Date.now()) / 1000));
  if (isLost()) element("lost-next").textContent = left ? `Trying again in ${left} s.` : "Trying again.";
}

function say(state, text) {
  element("link").dataset.link = state;
  if (element("link").textContent !== text) element("link").textContent = text;
}

function now() {
  if (!isLost()) return;
  clearTimeout(retry);
  again();
}

element("retry").addEventListener("click", now);
addEventListener("online", now);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") tickLink();
});
