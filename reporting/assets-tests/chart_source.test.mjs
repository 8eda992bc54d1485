import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

globalThis.document = { documentElement: { dataset: {} } };
const { ChartSource, useSource } = await load("chart_source.js");

/** Until what was begun has happened. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

test("a chart is ready once it has what is shown, and not what was shown before", async () => {
  const asked = [];
  useSource({ json: (id, path) => new Promise((resolve) => asked.push({ id, path, answer: (body) => resolve({ ok: true, body }) })) });
  let path = "/charts/errors";
  let changes = 0;
  const source = new ChartSource("run", { path: () => path, hasGaps: null, changed: () => (changes += 1) });
  assert.equal(source.isReady(), false);
  await settled();
  assert.equal(asked.length, 0, "nothing is asked for out of view");

  source.want(true);
  await settled();
  assert.deepEqual(asked.map(({ id, path }) => [id, path]), [["run", "/charts/errors?"]]);
  assert.equal(source.isReady(), false);
  asked[0].answer({ lines: [] });
  await settled();
  assert.equal(source.isReady(), true);
  assert.equal(changes, 1);

  path = "/charts/errors?from=5";
  assert.equal(source.isReady(), false, "it has the whole run");
  source.stale();
  await settled();
  assert.equal(asked.at(-1).path, "/charts/errors?from=5");
  assert.deepEqual(source.data, { lines: [] }, "what was shown before stays until there is an answer");
  asked.at(-1).answer({ lines: [1] });
  await settled();
  assert.equal(source.isReady(), true);
  source.want(false);
});
