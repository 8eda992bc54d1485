// Links to parts of the run, which are plain text where what is shown cannot be narrowed to them.

import { h } from "./dom.js";
import { source } from "./source.js";

/** A link with these attributes that narrows what is shown to an "endpoint" or an "agent". */
export function scopeLink(kind, attributes, ...text) {
  if (source().narrows(kind)) return h("a", { href: "?", ...attributes }, ...text);
  return h("span", { class: attributes.class }, ...text);
}
