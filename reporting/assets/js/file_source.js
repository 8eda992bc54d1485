// What takes the coordinator's place in a page that is a file (src/web/report_file): it answers what the page asks for with
// what is in the file, in the same form as the API. Its members are those of `coordinator` in source.js.
//
// Of the whole run there are the API's own answers. Of a part of it, answers are computed from the run's parts, whose sums are the same
// numbers; a window is made to begin and end with a part before it is shown (`fitted`).

import { chartOf, distributionIn } from "./file_charts.js";
import { logPage } from "./file_log.js";
import { Parts } from "./file_parts.js";
import { samplesOfDot, samplesOfError } from "./file_samples.js";
import { lastLines, viewOf } from "./file_view.js";
import { changed, formatScope, isWhole, parseScope } from "./scope.js";

/** What stands before a scope in the address; anything else there is a place in the page. */
const SCOPE = "#?";

export class FileSource {
  isLive = false;
  #data;
  #parts;
  /** The part that the address named last. */
  #query = "";

  /** Of the page's data. */
  static async read() {
    const parts = document.getElementById("file-parts");
    const data = {
      ...(await documentIn("file-data")),
      log: await documentIn("file-log"),
      samples: await documentIn("file-samples"),
      error_samples: await documentIn("file-error-samples"),
    };
    return new FileSource(data, parts && new Parts(await documentIn("file-described"), await bytesIn("file-parts")));
  }

  constructor(data, parts) {
    this.#data = data;
    this.#parts = parts;
  }

  /** What may be narrowed to a part. */
  narrows(kind) {
    if (!this.#parts || kind === "agent") return false;
    if (kind === "endpoint") return !this.#parts.together;
    return kind !== "outcome" || this.#parts.has_outcomes;
  }

  /** The scope with its window made to one that the file has. */
  fitted(scope) {
    if (!this.#parts || (scope.from === undefined && scope.to === undefined)) return scope;
    const isSecond = (value) => value === undefined || Number.isSafeInteger(value);
    return isSecond(scope.from) && isSecond(scope.to) ? changed(scope, this.#parts.fitted(scope)) : scope;
  }

  /** What the address says: {view, delta, over}. */
  initial() {
    const scope = parseScope(this.query());
    return isWhole(scope) ? this.#whole : viewOf(this.#parts, this.#whole, scope, this.#data);
  }

  async json(id, path) {
    const [place, query] = parted(path);
    try {
      return { ok: true, body: this.#answer(place, new URLSearchParams(query)) };
    } catch (error) {
      return { ok: false, body: { error: error.message } };
    }
  }

  async text(id, path) {
    const [, query] = parted(path);
    const scope = parseScope(query);
    const { whole, phases } = this.#data.tables;
    if (!whole) return { ok: true, body: "This file has no such tables." };
    if (isWhole(scope)) return { ok: true, body: whole };
    const { from, to, ...others } = scope;
    const range = (window) => String(this.#parts?.range(this.#parts.fitted(window)));
    const phase = isWhole(others) && phases.find((phase) => range({ from: phase.from, to: phase.to ?? undefined }) === range({ from, to }));
    const known = phases.length > 0 ? "of the whole run and of its phases" : "of the whole run only";
    return { ok: true, body: phase ? phase.text : `This file has these tables ${known}.` };
  }

  query(shown = this.#query) {
    const { hash } = location;
    const isPlace = hash.length > 1 && !hash.startsWith(SCOPE);
    this.#query = isPlace ? shown : this.#valid(hash.slice(SCOPE.length));
    return this.#query;
  }

  /** The query of what the file has of a part; of what it does not have, that of the whole run. */
  #valid(query) {
    const scope = this.fitted(parseScope(query));
    try {
      if (!isWhole(scope)) this.#check(scope);
      return formatScope(scope);
    } catch {
      return "";
    }
  }

  addressOf(query) {
    return query ? `${SCOPE}${query}` : "#";
  }

  get #whole() {
    const { view, delta } = this.#data.initial;
    return { view, delta: { ...delta, log: lastLines(this.#data.log) }, over: true };
  }

  #answer(place, query) {
    const { answers, log, samples, error_samples: errorSamples, initial } = this.#data;
    if (place === "/log/lines") {
      return logPage(log, query, { startedUs: initial.view.about.run_started_us, dropped: initial.delta.log_lines_dropped });
    }
    if (place === "/samples") return { samples: samplesOfDot(samples, query) };
    if (place === "/errors/samples") return samplesOfError(errorSamples, query, initial.view.errors);
    const scope = parseScope(String(query));
    const [of, metric] = [query.get("of"), query.get("metric")];
    if (isWhole(scope)) {
      const answer = place === "/view" ? this.#whole : answers[of ? `${place}?of=${of}` : place];
      if (answer) return answer;
      if (!this.#parts) throw new Error("This file does not have it.");
    }
    this.#check(scope);
    if (place === "/view") return viewOf(this.#parts, this.#whole, scope, this.#data);
    if (place === "/distribution") return distributionIn(this.#parts, of, scope);
    const [, chart] = /^\/charts\/(.+)$/.exec(place) ?? [];
    if (chart) return chartOf(this.#parts, chart, { of, metric }, scope, this.#parts.by_part);
    throw new Error("This file does not have it.");
  }

  /** Throws when the file does not have this part of the run. */
  #check(scope) {
    const parts = this.#parts;
    if (!parts) throw new Error("This file has the whole run only.");
    if (scope.agent !== undefined) throw new Error("This file does not have single agents.");
    if (scope.saturated !== undefined) throw new Error("This file has all seconds only.");
    if (scope.outcome !== undefined && !["ok", "failed"].includes(scope.outcome)) throw new Error("outcome must be `ok` or `failed`");
    if (scope.endpoint !== undefined && parts.together) throw new Error("This file has single endpoints of the whole run only.");
    if (scope.endpoint !== undefined && parts.endpointsOf(scope).length === 0) throw new Error(`the run has no endpoint \`${scope.endpoint}\``);
    const { from = 0, to = parts.end } = scope;
    if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to)) throw new Error("from and to must be whole seconds");
    if (from >= parts.end) throw new Error(`The run has results up to second ${parts.end - 1} only.`);
    if (from >= to) throw new Error(`from must be less than to: [${from}, ${to}) has no seconds`);
    const isEdge = (second) => second >= parts.end || parts.edges.includes(second);
    if (!isEdge(from) || !isEdge(to)) throw new Error("This window is not one of the file.");
  }
}

/** A path without its query, and that. */
function parted(path) {
  const at = path.indexOf("?");
  return at < 0 ? [path, ""] : [path.slice(0, at), path.slice(at + 1)];
}

async function documentIn(id) {
  return JSON.parse(new TextDecoder().decode(await bytesIn(id)));
}

/** The bytes of one of the page's blocks; throws when they are not what was written. */
async function bytesIn(id) {
  const text = atob(document.getElementById(id).textContent);
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
