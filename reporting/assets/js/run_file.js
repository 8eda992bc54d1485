// Starts the run page where it is a file: what would be asked of the coordinator is in the file.

import "./theme.js";
import { FileSource } from "./file_source.js";
import { h } from "./dom.js";
import { useSource } from "./source.js";

const DAMAGED = "This file is damaged: only the numbers of the whole run can be shown. Save or download it again.";
const TOO_OLD = "This browser is too old: it can show only the numbers of the whole run. Open this file in a newer one.";

let contents = null;
try {
  contents = await FileSource.read();
} catch {
  // A mail server or an editor has changed it, or the download broke off: what is left works as without scripts.
  document.documentElement.classList.remove("js");
  const message = typeof DecompressionStream === "undefined" ? TOO_OLD : DAMAGED;
  document.querySelector('[data-role="file-note"]').after(h("p", { class: "card file-failed", role: "alert" }, message));
}
if (contents) {
  useSource(contents);
  await import("./run.js");
}
