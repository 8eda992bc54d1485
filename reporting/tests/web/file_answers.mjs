// Reads a run's page that is a file as its scripts do, and compares what they answer with what the API answers:
// node file_answers.mjs SCRIPTS FILE.html ANSWERS.json, where SCRIPTS is reporting/assets/js as a folder of modules and ANSWERS a list of {path, body}. Says
// each difference and how many answers were compared.

import { readFile } from "node:fs/promises";
import { gunzipSync } from "node:zlib";

const [scripts, file, answers] = process.argv.slice(2);
globalThis.location = { hash: "" };
const { FileSource } = await import(`file://${scripts}/file_source.js`);
const { logPage } = await import(`file://${scripts}/file_log.js`);
const { Parts } = await import(`file://${scripts}/file_parts.js`);

const page = await readFile(file, "utf8");
const block = (id) => {
  const [, base64] = new RegExp(`<script type="text/plain" id="${id}">([^<]*)</script>`).exec(page);
  return gunzipSync(Buffer.from(base64, "base64"));
};
const parts = new Parts(JSON.parse(block("file-described")), block("file-parts"));
const data = {
  ...JSON.parse(block("file-data")),
  log: JSON.parse(block("file-log")),
  samples: JSON.parse(block("file-samples")),
  error_samples: JSON.parse(block("file-error-samples")),
};
const source = new FileSource(data, parts);

/** Of a run with more of them than a page shows, a window has others in the API. */
const hasAllDots = data.initial.delta.dots.kind.length < 4_000;

/** What of an answer is compared: the rest of a view is of the whole run, or of this moment. */
function compared(path, body) {
  if (!path.startsWith("/view")) return body;
  const { cards, endpoints, aggregated, errors, phases, marks, thresholds, custom_metrics } = body.view;
  const { series, step_s, log, dots } = body.delta;
  const { lines } = thresholds;
  if (parts.together) return { cards, aggregated, phases, marks, custom_metrics, lines, series, step_s, log };
  return { cards, endpoints, aggregated, errors, phases, marks, custom_metrics, lines, series, step_s, log, dots: { of: dots.of, number: hasAllDots && dots.kind.length } };
}

let differences = 0;

function compare(what, ours, theirs) {
  const isObject = (value) => typeof value === "object" && value !== null;
  if (isObject(ours) && isObject(theirs)) {
    for (const key of new Set([...Object.keys(ours), ...Object.keys(theirs)])) compare(`${what}.${key}`, ours[key], theirs[key]);
    return;
  }
  const isNear = typeof ours === "number" && typeof theirs === "number" && Math.abs(ours - theirs) <= 1e-9 * Math.abs(theirs);
  if (ours === theirs || isNear) return;
  differences += 1;
  if (differences <= 20) console.log(`${what}: the file has ${JSON.stringify(ours)}, the API ${JSON.stringify(theirs)}`);
}

const list = JSON.parse(await readFile(answers, "utf8"));
for (const { path, body } of list) {
  const answer = await source.json("run", path);
  if (!answer.ok) {
    differences += 1;
    console.log(`${path}: ${answer.body.error}`);
  } else compare(path, compared(path, answer.body), compared(path, body));
}

// What has no seconds is not made to a window that has some.
for (const [query, reason] of [
  [`from=${parts.end}`, "The run has results up to second"],
  ["from=9&to=9", "from must be less than to"],
]) {
  const { from, to } = Object.fromEntries([...new URLSearchParams(query)].map(([name, value]) => [name, Number(value)]));
  const asked = new URLSearchParams(source.fitted({ from, ...(to === undefined ? {} : { to }) }));
  const { ok, body } = await source.json("run", `/view?${asked}`);
  if (ok || !body.error.startsWith(reason)) {
    differences += 1;
    console.log(`${query}: ${ok ? "the file shows it" : body.error}`);
  }
}

// Of what it does not have a file says so, where one reads it.
const text = async (phases) => (await new FileSource({ ...data, tables: { whole: "all", phases } }, parts).text("run", "/tables?to=1")).body;
compare("tables", await text([{ from: 0, to: parts.end, text: "phase" }]), "This file has these tables of the whole run and of its phases.");
compare("tables without phases", await text([]), "This file has these tables of the whole run only.");
const lines = [1, 2, 1_237, 1_239].map((seq) => ({ seq, at_us: seq, source: "a", level: "info", text: "said" }));
const logged = (query) => logPage(lines, new URLSearchParams(query), { startedUs: 0, dropped: 0 }).lines.map((line) => line.text);
const gaps = ["said", "said", "1,234 lines are not in this file.", "said", "1 line is not in this file.", "said"];
compare("gaps", logged(""), gaps);
compare("gaps, of the last lines", logged("limit=3"), gaps.slice(-3));
compare("gaps after a line", logged("after=2&order=first"), gaps.slice(2));
compare("gaps where lines are searched", logged("q=i"), ["said", "said", "said", "said"]);
compare("gaps of a level", logged("level=error"), []);

const dots = data.initial.delta.dots.kind.length;
const singles = `${dots} dots, ${data.samples.length} samples, ${data.error_samples.length} samples of errors, ${data.log.length} lines`;
console.log(`${singles}; ${list.length} answers, ${differences} differences; parts of ${parts.step_s} s`);
process.exitCode = differences === 0 ? 0 : 1;
