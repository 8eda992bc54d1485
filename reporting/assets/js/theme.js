// Light and dark: the system's preference until the reader chooses; choosing the system's own again forgets the choice.

const KEY = "greylag-theme";
const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set();

/** Calls `listener` after every change of the shown theme. */
export function onThemeChange(listener) {
  listeners.add(listener);
}

let resolved = {};

/** The colours that `names` (custom properties such as `--accent`) have now, as `rgb(…)`. */
export function colours(names) {
  if (names.every((name) => name in resolved)) return resolved;
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  resolved = {};
  for (const name of names) {
    probe.style.color = `var(--${name})`;
    resolved[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return resolved;
}

export function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
}

/** Shows the light theme until the function that is returned is called. */
export function showLight() {
  const chosen = root.dataset.theme;
  root.dataset.theme = "light";
  resolved = {};
  return () => {
    if (chosen === undefined) delete root.dataset.theme;
    else root.dataset.theme = chosen;
    show();
  };
}

function show() {
  root.dataset.shown = isDark() ? "dark" : "light";
  resolved = {};
  for (const listener of listeners) listener();
}

function toggle() {
  const next = isDark() ? "light" : "dark";
  const followsSystem = (next === "dark") === system.matches;
  if (followsSystem) delete root.dataset.theme;
  else root.dataset.theme = next;
  try {
    if (followsSystem) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, next);
  } catch {
    // Without storage the choice lasts as long as the page.
  }
  show();
}

system.addEventListener("change", show);
document.querySelector("[data-theme-toggle]")?.addEventListener("click", toggle);
