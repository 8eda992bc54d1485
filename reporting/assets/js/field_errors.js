// Errors beside the fields of a form, as the server marks them: aria-invalid, a message that describes the field, and
// the cursor in the first.

import { h, setText } from "./dom.js";

const PREFIX = "error-";
const newId = (field) => `${PREFIX}${encodeURIComponent(field.name)}`;
const descriptions = (field) => (field.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean);

const errorId = (field) => descriptions(field).find((id) => id.startsWith(PREFIX)) ?? newId(field);

/** What is shown as wrong with a field; null for nothing. */
export const shownError = (field) => document.getElementById(errorId(field))?.textContent ?? null;

/** Shows or takes away what is wrong with a field. */
export function markField(field, message) {
  const holder = field.closest(".stage-row, .field");
  const id = errorId(field);
  const shown = document.getElementById(id);
  const described = descriptions(field).filter((other) => other !== id);
  if (message === null) {
    if (!field.hasAttribute("aria-invalid")) return;
    shown?.remove();
    field.removeAttribute("aria-invalid");
  } else {
    if (shown) setText(shown, message);
    else holder.append(h("small", { class: "field-error", id }, message));
    field.setAttribute("aria-invalid", "true");
    described.unshift(id);
  }
  if (described.length > 0) field.setAttribute("aria-describedby", described.join(" "));
  else field.removeAttribute("aria-describedby");
}

/** What the browser itself finds wrong with a field, in words; null for nothing. */
export function nativeError(field) {
  const { validity } = field;
  if (field.dataset.required !== undefined && !field.value) return "Enter it again; secrets are not shown on the page.";
  if (validity.valueMissing) return `Enter the target's base URL, such as ${field.placeholder}.`;
  if (validity.typeMismatch) return `Enter an HTTP or HTTPS URL, such as ${field.placeholder}.`;
  if (validity.patternMismatch) return "Enter a whole number.";
  return null;
}

/** Whether a field can be filled in now. */
export const isShown = (field) => Boolean(field.name) && field.type !== "hidden" && !field.matches(":disabled");

/** Puts the cursor into the first field that is wrong, opening what it is folded away in. */
export function focusFirstError(form) {
  const first = [...form.elements].find((field) => isShown(field) && field.getAttribute("aria-invalid") === "true");
  if (!first) return;
  for (let around = first.closest("details"); around; around = around.parentElement.closest("details")) around.open = true;
  first.focus();
}
