// What can go wrong on the way, in the bridge's own words.

import assert from "node:assert/strict";
import { cpSync, renameSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { connected, open, runtime, seen, sent, show, stroke, fillIn } from "./browser.mjs";

const SIZE = [320, 240];
const notice = (page) => page.waitForSelector(".notice.error").then((element) => element.innerText());

/** A cable between page and bridge that can be pulled. */
async function cable(test) {
  const { hostname, port } = new URL(runtime().url);
  const sockets = new Set();
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    for (const [one, other] of [[near, far], [far, near]]) {
      sockets.add(one);
      one.on("data", (data) => other.write(data)).on("error", () => {}).on("close", () => other.destroy());
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  test.after(() => {
    sockets.forEach((socket) => socket.destroy());
    server.close();
  });
  return { origin: `http://127.0.0.1:${server.address().port}`, pull: () => sockets.forEach((socket) => socket.destroy()) };
}

test("a wrong token is told, and asked for", async (t) => {
  const page = await open(t, { token: "wrong" });
  assert.match(await notice(page), /The bridge refused the token\.\s+.*paintbridge token/s);
  await page.fill("#token", runtime().token);
  await page.getByText("Connect", { exact: true }).click();
  await connected(page);
});

test("the token leaves the address at once, and outlives a reload", async (t) => {
  const page = await open(t);
  await connected(page);
  assert.ok(!page.url().includes("token"));
  await page.reload();
  await connected(page);
  assert.equal(await page.evaluate(() => Object.keys(localStorage).length + document.cookie.length), 0);
});

test("without a selection a fill is refused with a hint", async (t) => {
  const page = await open(t);
  await show(page, "photo.png");
  await page.click("#paint");
  assert.match(await notice(page), /Nothing is selected on the canvas\.\s+Paint over/);
});

test("what the bridge refuses is said in its words", async (t) => {
  const page = await open(t);
  await show(page, "photo.png");
  await stroke(page, SIZE, [[160, 120]]);
  // One that has gone from the models folder since the page was told of it.
  await page.evaluate(() => document.querySelector("#checkpoint").add(new Option("gone")));
  await fillIn(page, { checkpoint: "gone" });
  await page.click("#paint");
  assert.match(await notice(page), /No checkpoint named 'gone' is installed\.\s+Installed: /);
  assert.equal(await page.locator(".job").count(), 0);
});

test("jobs wait in a row, and each can be cancelled", async (t) => {
  const page = await open(t);
  await show(page, "photo.png");
  await stroke(page, SIZE, [[160, 120]]);
  await fillIn(page, { checkpoint: "slow", steps: 400, prompt: "first" });
  await page.click("#paint");
  await page.waitForSelector(".job progress[value]");
  await fillIn(page, { prompt: "second" });
  await page.click("#paint");
  const second = page.locator(".job", { hasText: "second" });
  await second.getByText("Waiting, 1 before it").waitFor();
  await second.getByText("Cancel").click();
  await second.waitFor({ state: "detached" });
  await page.locator(".job", { hasText: "first" }).getByText(/of 400 · \d+ (s|min) left/).waitFor();
  await page.locator(".job", { hasText: "first" }).getByText("Cancel").click();
  await page.locator(".job").waitFor({ state: "detached" });
  assert.equal(await page.locator(".layer").count(), 0);
  assert.equal(await page.locator(".notice.error").count(), 0);
});

test("a connection that breaks in mid-job is taken up again, and the result comes once", async (t) => {
  const { origin, pull } = await cable(t);
  const page = await open(t, { origin });
  await show(page, "photo.png");
  await stroke(page, SIZE, [[120, 120], [200, 120]]);
  await fillIn(page, { checkpoint: "slow", steps: 12 });
  const before = await seen(page, "#picture", SIZE, [160, 120]);
  await page.click("#paint");
  await page.waitForSelector(".job progress[value]");
  const interrupted = page.waitForSelector("#status[data-state=interrupted]", { state: "attached" });
  pull();
  await interrupted;
  await connected(page);
  await page.waitForSelector(".layer");
  assert.equal(await page.locator(".layer").count(), 1);
  assert.notDeepEqual(await seen(page, "#picture", SIZE, [160, 120]), before);
  assert.equal(await page.locator(".notice.error").count(), 0);
});

test("checkpoints come and go while the page is open, and one that is chosen does not go unsaid", async (t) => {
  const home = process.env.PAINTBRIDGE_HOME;
  const [coming, there] = [join(home, "coming"), join(home, "models", "come")];
  t.after(() => [coming, there].forEach((folder) => rmSync(folder, { recursive: true, force: true })));
  const page = await open(t);
  await connected(page);
  const offered = () => page.locator("#checkpoint option").allTextContents();
  assert.ok(!(await offered()).includes("come"));
  await page.selectOption("#checkpoint", "small");
  cpSync(join(home, "models", "tiny"), coming, { recursive: true });
  renameSync(coming, there);
  // Whoever connects makes the bridge look, which tells everybody.
  await connected(await open(t));
  await page.waitForSelector("#checkpoint option:text-is('come')", { state: "attached" });
  assert.equal(await page.inputValue("#checkpoint"), "small");
  await page.selectOption("#checkpoint", "come");
  rmSync(there, { recursive: true });
  await connected(await open(t));
  await page.getByText("come is no longer among the checkpoints. tiny is chosen now.").waitFor();
  assert.ok(!(await offered()).includes("come"));
});

test("conditions travel with their pictures, though no widget makes one yet", async (t) => {
  const page = await open(t);
  await connected(page);
  const { token } = runtime();
  const code = await page.evaluate(async (token) => {
    const { Bridge } = await import("/page/wire/bridge.mjs");
    const bridge = new Bridge(new URL("ws", location.href.replace("http", "ws")).href, token, "a test");
    bridge.connection.open();
    const pixels = (channels, value) => ({ bytes: new Uint8Array(64 * 64 * channels).fill(value), width: 64, height: 64, channels });
    const job = {
      canvas: { width: 64, height: 64 },
      context: { x: 0, y: 0, width: 64, height: 64 },
      settings: { kind: "generate", conditioning: { prompt: "a lake" } },
    };
    const conditions = [{ kind: "scribble", picture: pixels(3, 255), mask: pixels(1, 200), strength: 0.5 }];
    try {
      await bridge.paint("guided", job, {}, conditions, () => {});
    } catch (error) {
      return error.code;
    }
  }, token);
  assert.equal(code, "unsupported_condition", "there is no ControlNet here");
  const { settings } = sent(page, "submit").at(-1);
  const [{ kind, strength, picture, mask }] = settings.conditioning.conditions;
  assert.deepEqual([settings.conditioning.prompt, kind, strength, picture.channels, mask.channels], ["a lake", "scribble", 0.5, 3, 1]);
  assert.deepEqual(sent(page, "offer").at(-1).pictures, [picture, mask]);
});
