// Building elements without HTML text: everything a run says about itself goes through textContent.

import { messageParts } from "./format.js";

/** An HTML element with attributes and children (nodes or texts). */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  element.append(...children);
  return element;
}

function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false)
      element.setAttribute(name, value === true ? "" : value);
  }
}

/** Writes a text only when it changed, so that selections and screen readers are left alone. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Writes a message, what is in its backticks as code, only when it changed. */
export function setMessage(element, message) {
  const nodes = messageParts(message).map(([text, isCode]) => (isCode ? h("code", {}, text) : text));
  const shown = nodes.map((node) => node.textContent ?? node).join("");
  if (element.textContent !== shown) element.replaceChildren(...nodes);
}

/** Writes an attribute only when it changed. */
export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

/** The element of this part of the page; the template always has it, but for what changes something. */
export function part(role, within = document) {
  return within.querySelector(`[data-role="${role}"]`);
}
