// How what was measured of the load generator reads. Pure: no DOM here. src/results/measured_text.rs says the same on the server.

import { count, ms, rate } from "./format.js";

/** What was not measured. */
const UNKNOWN = "–";

const known = (value, text) => (value === null || value === undefined ? UNKNOWN : text(value));

/** 43.2 → "43%", 4.32 → "4.3%" */
export function share(percent) {
  return known(percent, (value) => `${value < 10 ? value.toFixed(1) : count(value)}%`);
}

/** Mean and maximum: "43% (max 97%)". */
function shares(mean, most) {
  return known(mean, () => `${share(mean)} (max ${share(most)})`);
}

/** 1536 MiB → "1.5 GiB" */
export function bytes(number) {
  return known(number, (value) => {
    const gib = value / 2 ** 30;
    return gib >= 1 ? `${gib.toFixed(1)} GiB` : `${count(value / 2 ** 20)} MiB`;
  });
}

export function workerCells(worker) {
  return [
    String(worker.index),
    known(worker.pid, String),
    count(worker.users),
    known(worker.requests_per_s, rate),
    shares(worker.core_percent, worker.core_max_percent),
    share(worker.wait_percent),
    bytes(worker.memory_bytes),
    known(worker.open_files, count),
    known(worker.late_p99_ms, (late) => `${ms(late)} ms`),
    known(worker.core_percent ?? worker.late_p99_ms, () => `${count(worker.saturated_seconds)} s`),
    worker.state,
  ];
}

export function agentCells(agent) {
  const memory = known(agent.machine_used_bytes, (used) => `${bytes(used)} of ${bytes(agent.machine_memory_bytes)}`);
  const files = known(agent.open_files, (files) => `${count(files)} of ${known(agent.file_limit, count)}`);
  return [
    shares(agent.machine_percent, agent.machine_max_percent),
    memory,
    share(agent.process_percent),
    bytes(agent.memory_bytes),
    files,
  ];
}

/** What stands beside the title. */
export function note({ measured, saturated_seconds: saturated, left_out: leftOut, of_whole_run: isWhole }) {
  if (!measured) return "not measured";
  // A file has no parts of it.
  const of = isWhole ? " (all of this is of the whole run)" : "";
  if (saturated === 0) return `not saturated in any second${of}`;
  return `saturated in ${count(saturated)} s${leftOut ? ", which are left out" : ""}${of}`;
}
