import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { FAILURE, clipped, described, limited, markLetters } = await load("chart_words.js");

test("the label of a mark has as many letters as the chart is high", () => {
  assert.equal(markLetters(170), 16);
  assert.equal(markLetters(240), 26);
  assert.equal(markLetters(2_000), 26);
  // A chart that is folded has no height.
  assert.equal(markLetters(0), 1);
});

test("a long name is cut by letters, and keeps its outcome", () => {
  assert.equal(clipped("GET /"), "GET /");
  const long = "x".repeat(40);
  assert.equal(clipped(long), `${"x".repeat(31)}…`);
  assert.equal(clipped(long + FAILURE), `${"x".repeat(31)}…${FAILURE}`);
  assert.equal(clipped("🦢🦢🦢", 2), "🦢…");
  assert.equal(clipped("p95 < 500ms", 1), "…");
});

test("marks and limits are said, the first ones one by one", () => {
  assert.equal(described([]), "");
  const mark = (second) => ({ second, label: `deploy ${second}` });
  assert.equal(described([mark(61), { second: 5, to: 9, label: "saturated" }]), " Marked: deploy 61 at 1:01, saturated from 5s to 9s.");
  assert.match(described(Array.from({ length: 13 }, (_, second) => mark(second))), /deploy 9 at 9s and 3 more\.$/);
  assert.equal(limited([]), "");
  assert.equal(limited([{ label: "p95 < 1s" }, { label: "max < 2s" }]), " Limits: p95 < 1s, max < 2s.");
});
