// What takes the coordinator's place in a page that is a file (src/web/report_file): it answers what the page asks for with
// what is in the file, in the same form as the API. Its members are those of `coordinator` in source.js.

import { logPage } from "./file_log.js";
import { samplesOfDot, samplesOfError } from "./file_samples.js";

const NOT_THERE = "This file does not have it.";

export class FileSource {
  isLive = false;
  #data;

  /** Of the page's data. */
  static async read() {
    return new FileSource(JSON.parse(new TextDecoder().decode(await unpacked("file-data"))));
  }

  constructor(data) {
    this.#data = data;
  }

  /** What may be narrowed to a part: nothing, because the file has only the whole run. */
  narrows() {
    return false;
  }

  /** The whole run: {view, delta, over}. */
  initial() {
    return { ...this.#data.initial, over: true };
  }

  async json(id, path) {
    const [place, query = ""] = path.split("?");
    try {
      const body = this.#answer(place, new URLSearchParams(query));
      return body === undefined ? { ok: false, body: { error: NOT_THERE } } : { ok: true, body };
    } catch (error) {
      return { ok: false, body: { error: error.message } };
    }
  }

  async text(id, path) {
    return path === "/tables" ? { ok: true, body: this.#data.tables } : { ok: false, body: NOT_THERE };
  }

  query() {
    return "";
  }

  addressOf() {
    return "#";
  }

  #answer(place, query) {
    const { answers, log, samples, error_samples: errorSamples, initial } = this.#data;
    if (place === "/log/lines") {
      return logPage(log, query, { startedUs: initial.view.about.run_started_us, dropped: initial.delta.log_lines_dropped });
    }
    if (place === "/samples") return { samples: samplesOfDot(samples, query) };
    if (place === "/errors/samples") return samplesOfError(errorSamples, query);
    const of = query.get("of");
    return answers[of ? `${place}?of=${of}` : place];
  }
}

/** The bytes of one of the page's blocks; throws when they are not what was written. */
async function unpacked(id) {
  const text = atob(document.getElementById(id).textContent);
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
