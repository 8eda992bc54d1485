import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { load } from "./load.mjs";

mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
const { Hub, serverSent } = await load("hub.js");

/** Lets everything run that waits for nothing but other promises. */
const settle = async () => {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
};

const pass = async (ms) => {
  mock.timers.tick(ms);
  await settle();
};

/** A coordinator: what it was asked, the streams that are open, and an event for all of them. */
function coordinator() {
  const it = { asked: [], open: [], refusal: null };
  globalThis.fetch = async (url, { signal }) => {
    it.asked.push(url);
    if (it.refusal) return { ok: false, ...it.refusal };
    let control;
    const body = new ReadableStream({ start: (c) => (control = c) });
    const stream = { url, send: (text) => control.enqueue(new TextEncoder().encode(text)), end: () => control.close() };
    it.open.push(stream);
    signal.addEventListener("abort", () => {
      it.open.splice(it.open.indexOf(stream), 1);
      control.error(signal.reason);
    });
    return { ok: true, body };
  };
  it.send = async (name, data) => {
    for (const stream of it.open) stream.send(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
    // A stream's pieces take more than promises on their way.
    for (let turn = 0; turn < 5; turn++) await new Promise((done) => setImmediate(done));
  };
  return it;
}

/** A page with what it has received, states by name. */
function page() {
  const received = [];
  const take = ({ name, state, data }) => received.push(state ?? (name === "run" ? `run ${data.id}` : name));
  return { take, received };
}

test("all pages share one stream, and each gets what it shows", async () => {
  const server = coordinator();
  const hub = new Hub("/events");
  const [one, two, front] = [page(), page(), page()];
  hub.say(one.take, { runs: ["a"], front: false });
  hub.say(two.take, { runs: ["b"], front: false });
  hub.say(front.take, { runs: [], front: true });
  await pass(30);
  assert.deepEqual(server.asked, ["/events?runs=a,b&front=true"]);
  await server.send("run", { id: "a" });
  await server.send("change", 7);
  assert.deepEqual(one.received, ["connecting", "live", "run a", "beat"]);
  assert.deepEqual(two.received, ["connecting", "live", "beat", "beat"]);
  assert.deepEqual(front.received, ["connecting", "live", "beat", "change"]);

  // A page of a run that is followed already needs everything from the beginning, and no changes before.
  const late = page();
  hub.say(late.take, { runs: ["a"], front: false });
  await server.send("run", { id: "a" });
  assert.deepEqual(late.received, ["live", "beat"]);
  await pass(30);
  await server.send("run", { id: "a" });
  assert.deepEqual(late.received, ["live", "beat", "run a"]);
  assert.equal(server.asked.length, 2);
  assert.equal(server.open.length, 1);
});

test("pages that are not seen have no stream, and one that is seen again catches up immediately", async () => {
  const server = coordinator();
  const hub = new Hub("/events");
  const [one, two] = [page(), page()];
  hub.say(one.take, { runs: ["a"], front: false });
  hub.say(two.take, { runs: ["b"], front: false });
  await pass(30);
  hub.say(two.take, null);
  await pass(5_000);
  assert.deepEqual(
    server.open.map(({ url }) => url),
    ["/events?runs=a&front=false"],
  );
  hub.say(one.take, null);
  await pass(0);
  assert.deepEqual(server.open, []);
  hub.say(one.take, { runs: ["a"], front: false });
  await pass(30);
  assert.equal(server.open.length, 1);
});

test("a page that says nothing any more is gone", async () => {
  const server = coordinator();
  const hub = new Hub("/events");
  const [here, crashed] = [page(), page()];
  hub.say(crashed.take, { runs: ["b"], front: false });
  for (let second = 0; second < 40; second += 5) {
    hub.say(here.take, { runs: ["a"], front: false });
    await pass(5_000);
    await server.send("beat", 1);
  }
  assert.equal(server.open[0].url, "/events?runs=a&front=false");
});

test("a refusal is shown, and tried again", async () => {
  const server = coordinator();
  server.refusal = { status: 503, json: async () => ({ error: "too many" }) };
  const hub = new Hub("/events");
  const messages = [];
  hub.say((message) => messages.push(message), { runs: [], front: true });
  await pass(30);
  assert.deepEqual(messages.at(-1), { state: "refused", status: 503, text: "too many" });
  server.refusal = null;
  await pass(1_500);
  await server.send("change", 1);
  assert.equal(server.asked.length, 2);
  assert.deepEqual(messages.slice(-2), [{ state: "live" }, { name: "change", data: 1 }]);
});

test("a page that joins or comes back does not hear of a refusal that others had before", async () => {
  const server = coordinator();
  server.refusal = { status: 401, json: async () => ({ error: "sign in" }) };
  const hub = new Hub("/events");
  const [first, second] = [page(), page()];
  hub.say(first.take, { runs: [], front: true });
  await pass(30);
  assert.deepEqual(first.received, ["connecting", "refused"]);
  hub.say(second.take, { runs: [], front: true });
  assert.deepEqual(second.received, ["connecting"]);
  for (const { take } of [first, second]) hub.say(take, null);
  server.refusal = null;
  const again = page();
  hub.say(again.take, { runs: [], front: true });
  await pass(30);
  await server.send("change", 1);
  assert.deepEqual(again.received, ["connecting", "live", "change"]);
});

test("a connection on which nothing comes is given up; one whose runs are over is not missed", async () => {
  const server = coordinator();
  const hub = new Hub("/events");
  const one = page();
  const wanted = { runs: ["a"], front: false };
  hub.say(one.take, wanted);
  await pass(30);
  await server.send("run", { id: "a" });
  for (let second = 0; second < 25; second += 5) {
    hub.say(one.take, wanted);
    await pass(5_000);
  }
  assert.deepEqual([server.asked.length, server.open.length, one.received.at(-1)], [2, 1, "lost"]);
  await server.send("run", { id: "a", over: true });
  server.open[0].end();
  await settle();
  await pass(60_000);
  assert.deepEqual([server.asked.length, one.received.at(-1)], [2, "run a"]);
});

test("events come in pieces of any size", async () => {
  const text = 'event: run\ndata: {"id":\ndata: "é"}\n\n: a comment\n\nevent: beat\ndata: 1\n\nevent: cut\ndata: 2';
  for (const size of [1, 2, 7, 1_000]) {
    const bytes = new TextEncoder().encode(text);
    const body = new ReadableStream({
      start(control) {
        for (let at = 0; at < bytes.length; at += size) control.enqueue(bytes.slice(at, at + size));
        control.close();
      },
    });
    const events = [];
    for await (const event of serverSent(body)) events.push(event);
    assert.deepEqual(events, [
      { name: "run", data: { id: "é" } },
      { name: "beat", data: 1 },
    ]);
  }
});

test("any character that JSON leaves as it is may stand in an event", async () => {
  const data = { text: "one\u2028two\u2029three\u0085four: five" };
  const body = new Blob([`event: run\ndata: ${JSON.stringify(data)}\n\n`]).stream();
  const events = [];
  for await (const event of serverSent(body)) events.push(event);
  assert.deepEqual(events, [{ name: "run", data }]);
});
