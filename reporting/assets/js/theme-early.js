// Runs before the first paint: a classic script in <head>, so that a chosen theme does not flash the other one.
(function () {
  const root = document.documentElement;
  root.classList.add("js");
  let chosen = null;
  try {
    chosen = localStorage.getItem("greylag-theme");
  } catch {
    // Storage may be forbidden; then the system's preference stands.
  }
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.shown = dark ? "dark" : "light";
})();
