// The page's parts that need no browser: the codec against the protocol's vectors, the session, the selection.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { makeTools } from "../../../bridge/server/page/canvas/tools.mjs";
import { Mask } from "../../../bridge/server/page/mask/mask.mjs";
import { History } from "../../../bridge/server/page/picture/history.mjs";
import { drawOver, makeRaster } from "../../../bridge/server/page/picture/pixels.mjs";
import { Studio } from "../../../bridge/server/page/picture/studio.mjs";
import { BridgeError, decodeMessage, encodeMessage } from "../../../bridge/server/page/wire/messages.mjs";
import { Session } from "../../../bridge/server/page/wire/session.mjs";
import { flat, grouped } from "../../../bridge/server/page/wire/settings.mjs";

const { vectors, refused } = JSON.parse(readFileSync(new URL("../../../docs/protocol.vectors.json", import.meta.url)));
const bytes = (hex) => new Uint8Array(Buffer.from(hex, "hex"));

/** A vector's JSON as the message that it stands for. */
function fromJson(value) {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(fromJson);
  if (typeof value.hex === "string" && Object.keys(value).length === 1) return bytes(value.hex);
  if (typeof value.int === "string" && Object.keys(value).length === 1) return BigInt(value.int);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fromJson(item)]));
}

test("every vector is decoded to its message, and to the same when it was encoded here", () => {
  for (const { name, message, hex } of vectors) {
    const decoded = decodeMessage(bytes(hex));
    const wanted = fromJson(message);
    for (const [field, value] of Object.entries(wanted)) assert.deepEqual(decoded[field], value, `${name}.${field}`);
    assert.deepEqual(decodeMessage(encodeMessage(wanted)), decoded, name);
  }
});

test("what a message leaves out is there when it has been read, whatever the bridge may say", () => {
  const named = new Map(vectors.map(({ name, hex }) => [name, decodeMessage(bytes(hex))]));
  const told = vectors.filter(({ name, direction }) => name.endsWith(" full") && direction !== "client");
  assert.ok(told.length >= 20);
  for (const { name, message } of told) {
    const least = named.get(name.replace(/full$/, "minimal"));
    assert.deepEqual(Object.keys(least).sort(), Object.keys(message).sort(), name);
  }
});

test("frames that are no message are refused", () => {
  const hopeless = ["no bytes at all", "bytes that msgpack does not use", "a frame that ends too early", "a frame with bytes left over", "a list", "no type"];
  const frames = refused.filter(({ name }) => hopeless.includes(name));
  assert.equal(frames.length, hopeless.length);
  for (const { name, hex } of frames) {
    assert.throws(() => decodeMessage(bytes(hex)), (error) => error instanceof BridgeError && error.code === "bad_frame", name);
  }
});

test("the worked session is one: greeted, followed, resumed, and nothing comes twice", () => {
  const session = new Session("the page");
  const steps = vectors.filter(({ name }) => name.startsWith("session "));
  const kinds = [];
  let hellos = 0;
  for (const { direction, message, hex } of steps) {
    if (direction === "client") {
      if (message.type === "hello") {
        hellos += 1;
        session.disconnected();
        assert.equal(session.connect(message.token).type, "hello");
      } else if (message.type === "submit") {
        session.submitted(message.job);
      } else if (message.type === "resume") {
        assert.equal(message.last_event, session.lastEvent);
      }
      continue;
    }
    // Event 5 is lost on its way the first time.
    if (message.type === "queued" && message.event === 5 && hellos === 1) continue;
    const taken = session.receive(decodeMessage(bytes(hex)));
    if (message.type === "welcome") assert.equal(taken.reply !== null, hellos === 2);
    if (taken.message !== null) kinds.push(taken.message.type);
  }
  assert.equal(hellos, 2);
  assert.ok(session.ready);
  assert.equal(session.jobs.size, 0);
  assert.ok(["result", "preview", "resumed", "cancelled"].every((kind) => kinds.includes(kind)));
  const again = { type: "cancelled", event: session.lastEvent, job: "fill-2" };
  assert.equal(session.receive(again).message, null);
  const gap = { type: "queued", event: session.lastEvent + 2, job: "fill-3", position: 0 };
  assert.throws(() => session.receive(gap), { code: "unexpected_message" });
});

test("a bridge that was restarted loses the jobs, and its fresh session is gone on with", () => {
  const session = new Session("the page");
  session.connect("t");
  session.receive({ type: "welcome", session: "old" });
  session.submitted("a");
  session.receive({ type: "queued", event: 1, job: "a", position: 0 });
  session.disconnected();
  session.connect("t");
  assert.deepEqual(session.receive({ type: "welcome", session: "new" }).reply, { type: "resume", session: "old", last_event: 1 });
  assert.ok(!session.ready);
  const gone = { type: "error", code: "session_dropped", message: { text: "" }, hint: { text: "" }, about: "old" };
  const { message, lost } = session.receive(gone);
  assert.equal(message, null);
  assert.deepEqual(lost, ["a"]);
  assert.ok(session.ready);
  assert.deepEqual([session.id, session.lastEvent], ["new", 0]);
});

test("a stroke covers fully up to its hardness, nothing beyond its radius, and parts of it do not add up", () => {
  for (const hardness of [0, 0.5, 1]) {
    const mask = new Mask(64, 64);
    const brush = { radius: 20, hardness, erase: false };
    mask.stroke({ x: 32, y: 32 }, { x: 32, y: 32 }, brush);
    const once = mask.data.slice();
    mask.stroke({ x: 32, y: 32 }, { x: 32, y: 32 }, brush);
    assert.deepEqual(mask.data, once);
    for (let y = 0; y < 64; y++) {
      for (let x = 0; x < 64; x++) {
        const distance = Math.hypot(x + 0.5 - 32, y + 0.5 - 32);
        const value = mask.data[y * 64 + x];
        if (distance <= 20 * hardness - 1) assert.equal(value, 255);
        if (distance >= 21) assert.equal(value, 0);
      }
    }
    mask.stroke({ x: 32, y: 32 }, { x: 32, y: 32 }, { radius: 30, hardness: 1, erase: true });
    assert.equal(mask.bounds(), null);
  }
});

test("a stroke that goes on covers to the bit what its parts cover one by one", () => {
  const brush = { radius: 30, hardness: 0.4, erase: false };
  const points = [[40, 40], [60, 44], [61, 45], [90, 80], [70, 110], [70, 110], [30, 60]].map(([x, y]) => ({ x, y }));
  for (const erase of [false, true]) {
    const [whole, parts] = [new Mask(160, 140), new Mask(160, 140)];
    if (erase) for (const mask of [whole, parts]) mask.map(() => 255);
    points.forEach((point, at) => {
      const from = points[Math.max(0, at - 1)];
      whole.stroke(from, point, { ...brush, erase });
      parts.stroke({ ...from }, { ...point }, { ...brush, erase });
    });
    assert.deepEqual(whole.data, parts.data);
    assert.ok(new Set(whole.data).size > 100, "it is soft");
  }
});

test("a large brush takes small moves together, and misses none of them in the end", () => {
  const studio = new Studio();
  studio.open(makeRaster(400, 400, 255), "white");
  const tool = makeTools(studio, { size: 128, hardness: 1, erase: false }).brush;
  let drawn = 0;
  studio.addEventListener("mask", () => drawn++);
  tool.begin({ x: 100, y: 100 }, 1);
  for (let x = 100.25; x <= 101.5; x += 0.25) tool.move({ x, y: 100 }, 1);
  assert.equal(drawn, 1);
  tool.move({ x: 110, y: 100 }, 1);
  tool.move({ x: 111, y: 100 }, 1);
  tool.end();
  assert.equal(drawn, 3);
  const { x, width } = studio.mask.bounds();
  assert.deepEqual([x, x + width], [36, 175]);
});

test("what is covered too little to count is not in a mask's bounds", () => {
  const mask = new Mask(8, 8);
  mask.data.fill(1);
  assert.equal(mask.bounds(), null);
  mask.data[3 * 8 + 5] = 2;
  assert.deepEqual(mask.bounds(), { x: 5, y: 3, width: 1, height: 1 });
});

test("what a change has touched is put back, across tiles and up to the edges", () => {
  const mask = new Mask(600, 300);
  mask.begin();
  mask.stroke({ x: -5, y: 10 }, { x: 640, y: 290 }, { radius: 9, hardness: 0.3, erase: false });
  const painted = mask.data.slice();
  const tiles = mask.commit();
  mask.restore(tiles, "before");
  assert.equal(mask.bounds(), null);
  mask.restore(tiles, "after");
  assert.deepEqual(mask.data, painted);
  assert.deepEqual(mask.bounds(), { x: 0, y: 2, width: 600, height: 280 });
});

test("a layer leaves alone what it does not cover, bit by bit, and replaces what it covers", () => {
  const under = makeRaster(4, 1);
  under.data.set([1, 2, 3, 0, 9, 8, 7, 128, 10, 20, 30, 255, 200, 100, 50, 255]);
  const layer = { x: 0, y: 0, width: 4, height: 1, data: new Uint8ClampedArray(16) };
  layer.data.set([255, 255, 255, 0, 255, 255, 255, 0, 90, 80, 70, 255, 0, 0, 0, 51]);
  drawOver(under, layer, layer);
  assert.deepEqual([...under.data], [1, 2, 3, 0, 9, 8, 7, 128, 90, 80, 70, 255, 160, 80, 40, 255]);
  const half = { x: 1, y: 0, width: 1, height: 1, data: new Uint8ClampedArray([255, 0, 0, 128]) };
  drawOver(under, half, layer);
  // 128 over 128: the lower one counts by half of itself. (255 * 128 + 9 * 63.7) / 191.7
  assert.deepEqual([...under.data.subarray(4, 8)], [173, 3, 2, 192]);
});

test("arrangements of layers are undone to the bit", () => {
  const studio = new Studio();
  studio.open(makeRaster(8, 8, 255), "white");
  const result = (value) => ({ x: 2, y: 2, width: 2, height: 2, data: new Uint8ClampedArray(16).fill(value), recipe: {} });
  studio.add("job", "two", [result(255), result(128)]);
  const looks = [studio.composed.data.slice()];
  studio.toggle(studio.layers[1]);
  looks.push(studio.composed.data.slice());
  assert.deepEqual(studio.layers.map(({ visible }) => visible), [false, true]);
  studio.keep(studio.layers[1]);
  assert.equal(studio.layers.length, 1);
  studio.remove(studio.layers[0]);
  assert.deepEqual(studio.composed.data, studio.base.data);
  studio.undo();
  assert.deepEqual(studio.composed.data, looks[1]);
  studio.undo();
  studio.undo();
  assert.deepEqual(studio.composed.data, looks[0]);
  studio.undo();
  assert.deepEqual(studio.composed.data, studio.base.data);
  studio.redo();
  assert.deepEqual(studio.composed.data, looks[0]);
});

test("a picture that takes another's place gives it back with its layers and its selection", () => {
  const studio = new Studio();
  studio.open(makeRaster(8, 8, 255), "white");
  studio.add("job", "one", [{ x: 2, y: 2, width: 2, height: 2, data: new Uint8ClampedArray(16).fill(128), recipe: {} }]);
  studio.select(studio.bounds, (mask) => mask.data.fill(255, 0, 8));
  const [look, selected] = [studio.composed.data.slice(), studio.mask.bounds()];
  studio.replace(makeRaster(16, 16, 9));
  assert.deepEqual([studio.bounds.width, studio.layers.length, studio.mask.bounds()], [16, 0, null]);
  assert.deepEqual(studio.composed.data, makeRaster(16, 16, 9).data);
  studio.undo();
  assert.deepEqual([studio.bounds.width, studio.layers.length, studio.mask.bounds()], [8, 1, selected]);
  assert.deepEqual(studio.composed.data, look);
  studio.redo();
  assert.equal(studio.bounds.width, 16);
});

test("history forgets its oldest steps when they hold too much", () => {
  const history = new History();
  const undone = [];
  for (let step = 0; step < 5; step++) history.add({ undo: () => undone.push(step), redo: () => {}, bytes: 100 << 20 });
  while (history.canUndo) history.undo();
  assert.deepEqual(undone, [4, 3]);
});

test("settings go into their groups and come out of them, with what a recipe leaves out", () => {
  const values = { kind: "refine", prompt: "a cat", steps: 4, strict: true };
  const settings = grouped(values);
  assert.deepEqual(settings, {
    kind: "refine", conditioning: { prompt: "a cat" }, sampling: { steps: 4 }, edges: { strict: true },
  });
  const found = flat(settings);
  for (const [name, value] of Object.entries(values)) assert.equal(found[name], value, name);
  assert.deepEqual([found.batch, found.seed, found.conditions], [1, null, []]);
});
