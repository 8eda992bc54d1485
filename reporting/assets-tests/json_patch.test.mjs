import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { patched } = await load("json_patch.js");

test("a patch changes what it names and leaves the rest as it is", () => {
  const old = { about: { name: "x", users: 1 }, rows: [{ n: 1 }, { n: 2 }] };
  const now = patched(old, { about: { users: [2] }, rows: { 1: { n: [3] }, 2: [{ n: 4 }] } });
  assert.deepEqual(now, { about: { name: "x", users: 2 }, rows: [{ n: 1 }, { n: 3 }, { n: 4 }] });
  assert.equal(now.rows[0], old.rows[0]);
  assert.deepEqual(old.rows[1], { n: 2 });
  assert.deepEqual(patched(undefined, [[1]]), [1]);
  assert.equal(patched({ a: 1 }, [null]), null);
});
