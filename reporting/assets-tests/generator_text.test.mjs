import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { agentCells, note, workerCells } = await load("generator_text.js");

test("what was measured reads as on the server", () => {
  const worker = {
    index: 3,
    pid: 42,
    users: 1_200,
    requests_per_s: 4_321,
    core_percent: 43.2,
    core_max_percent: 97.04,
    wait_percent: 0.4,
    memory_bytes: 1536 * 2 ** 20,
    open_files: null,
    late_p99_ms: 2.3,
    saturated_seconds: 2,
    state: "running",
  };
  const cells = ["3", "42", "1,200", "4,321", "43% (max 97%)", "0.4%", "1.5 GiB", "–", "2.30 ms", "2 s", "running"];
  assert.deepEqual(workerCells(worker), cells);
});

test("what was not measured never reads as 0", () => {
  const unknown = { index: 0, pid: null, users: 0, saturated_seconds: 0, state: "ended" };
  assert.deepEqual(workerCells(unknown), ["0", "–", "0", "–", "–", "–", "–", "–", "–", "–", "ended"]);
  assert.ok(agentCells({}).every((text) => text === "–"));
  assert.equal(note({ measured: false, saturated_seconds: 0 }), "not measured");
  assert.equal(note({ measured: true, saturated_seconds: 3, left_out: true }), "saturated in 3 s, which are left out");
});
