import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const page = new EventTarget();
globalThis.addEventListener = page.addEventListener.bind(page);
const { afterPress } = await load("after_press.js");

const later = () => new Promise((done) => setTimeout(done));

for (const end of ["pointerup", "pointercancel"]) {
  test(`what is asked for during a press waits for its ${end} and the click`, async () => {
    const done = [];
    afterPress(() => done.push("before"));
    assert.deepEqual(done, ["before"]);
    page.dispatchEvent(new Event("pointerdown"));
    afterPress(() => done.push("one"));
    afterPress(() => done.push("two"));
    await later();
    assert.deepEqual(done, ["before"]);
    page.dispatchEvent(new Event(end));
    done.push("click");
    await later();
    assert.deepEqual(done, ["before", "click", "one", "two"]);
    page.dispatchEvent(new Event(end));
    await later();
    assert.equal(done.length, 4);
  });
}
