// Copyright (c) 2026, The Plumb authors
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
// Elements from values, and the least change that makes what is shown equal to them.
// Text only ever becomes a text node: nothing that an object, a commit or a person is called is read as HTML.

import { absolute, relative } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";

export function h(name, attributes, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function svg(name, attributes, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === "") continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

// An instant relative to now, kept up to date by `tick`.
export function time(instant) {
  return h("time", { datetime: instant, title: absolute(instant) }, relative(instant));
}

export function tick() {
  for (const element of document.querySelectorAll("time[datetime]")) {
    const text = relative(element.getAttribute("datetime"));
    if (element.textContent !== text) element.textContent = text;
  }
}

// What is kept when something new is shown: what a reader has opened or closed, where the focus is, what is scrolled.
// `data-wish` says whether an element is to be open at first; it is opened again when that changes to open.
const OF_THE_READER = new Set(["open"]);

export function show(place, children) {
  const fresh = h("div", null, children);
  reconcile(place, fresh);
}

function reconcile(old, fresh) {
  const wanted = [...fresh.childNodes];
  const keys = new Set(wanted.map(keyOf).filter(Boolean));
  const known = new Map();
  for (const child of [...old.childNodes]) {
    const key = keyOf(child);
    if (key && keys.has(key)) known.set(key, child);
    else if (key) child.remove();
  }
  let at = old.firstChild;
  for (const child of wanted) {
    const match = matching(child, at, known);
    if (!match) {
      old.insertBefore(child, at);
      continue;
    }
    if (match === at) at = at.nextSibling;
    else move(old, match, at);
    update(match, child);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function matching(child, at, known) {
  const key = keyOf(child);
  const match = key ? known.get(key) : at && !keyOf(at) ? at : null;
  return match && match.nodeName === child.nodeName ? match : null;
}

function move(place, element, before) {
  if (place.moveBefore) place.moveBefore(element, before); // keeps the focus
  else place.insertBefore(element, before);
}

function update(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  const wish = old.getAttribute("data-wish");
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !OF_THE_READER.has(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !OF_THE_READER.has(name)) old.setAttribute(name, value);
  }
  if (wish !== old.getAttribute("data-wish") && wish !== null && fresh.hasAttribute("open")) old.setAttribute("open", "");
  reconcile(old, fresh);
}

function keyOf(node) {
  return node.nodeType === Node.ELEMENT_NODE ? node.getAttribute("data-key") : null;
}
