// A page of another site in the artist's browser gets nothing from a running bridge, by whatever way it asks.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { test } from "node:test";
import { chromium } from "playwright-core";

const { url } = JSON.parse(readFileSync(`${process.env.PAINTBRIDGE_HOME}/runtime.json`, "utf8"));
const PORT = Number(new URL(url).port);
// A name of the stranger's whose address is this machine's, as after DNS rebinding.
const NAME = "evil.example";
const JOB = JSON.stringify({ prompt: "stolen time", steps: 1, width: 64, height: 64 });
const PATHS = ["/", "/ws", "/sdapi/v1/samplers", "/sdapi/v1/options", "/v1/models"];

async function stranger(t) {
  const site = createServer((_request, response) => {
    response.setHeader("Content-Type", "text/html");
    response.end("<!doctype html><title>Stranger</title>");
  });
  await new Promise((done) => site.listen(0, "127.0.0.1", done));
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--no-sandbox", `--host-resolver-rules=MAP ${NAME} 127.0.0.1`],
  });
  t.after(async () => {
    await browser.close();
    site.close();
  });
  const page = await browser.newPage();
  await page.goto(`http://${NAME}:${site.address().port}/`);
  return page;
}

// In the page: what a request gives it to read, or that it gives nothing.
const fetched = ([address, options]) =>
  fetch(address, options).then(
    async (response) => ({ type: response.type, status: response.status, text: await response.text() }),
    () => null,
  );
const opened = (address) =>
  new Promise((done) => {
    const socket = new WebSocket(address);
    socket.onopen = () => done(true);
    socket.onerror = () => done(false);
  });

test("what a page fetches from the bridge's address it cannot read", async (t) => {
  const page = await stranger(t);
  for (const path of PATHS) {
    assert.equal(await page.evaluate(fetched, [`http://127.0.0.1:${PORT}${path}`]), null, path);
  }
  const posted = [`http://127.0.0.1:${PORT}/sdapi/v1/txt2img`, { method: "POST", mode: "no-cors", body: JOB }];
  const blind = await page.evaluate(fetched, posted);
  assert.deepEqual(blind, { type: "opaque", status: 0, text: "" });
});

test("a form that it posts is refused", async (t) => {
  const page = await stranger(t);
  await page.evaluate(
    ([address, body]) => {
      const form = document.createElement("form");
      Object.assign(form, { action: address, method: "post", enctype: "text/plain" });
      // The name and the value become one line of JSON.
      const field = document.createElement("input");
      Object.assign(field, { name: body.slice(0, -1) + ', "x": "', value: '"}' });
      form.append(field);
      document.body.append(form);
    },
    [`http://127.0.0.1:${PORT}/sdapi/v1/txt2img`, JOB],
  );
  const [response] = await Promise.all([
    page.waitForNavigation(),
    page.evaluate(() => document.querySelector("form").submit()),
  ]);
  assert.ok([401, 403].includes(response.status()), String(response.status()));
});

test("its websockets are not opened", async (t) => {
  const page = await stranger(t);
  for (const host of ["127.0.0.1", "localhost", NAME]) {
    assert.equal(await page.evaluate(opened, `ws://${host}:${PORT}/ws`), false, host);
  }
});

test("a name of its own for this machine does not make it the bridge's own page", async (t) => {
  const page = await stranger(t);
  const response = await page.goto(`http://${NAME}:${PORT}/`);
  assert.equal(response.status(), 403);
  for (const path of PATHS) {
    const answer = await page.evaluate(fetched, [path]);
    assert.ok(answer === null || answer.status === 403, `${path}: ${JSON.stringify(answer)}`);
  }
  const posted = await page.evaluate(fetched, ["/sdapi/v1/txt2img", { method: "POST", body: JOB }]);
  assert.equal(posted.status, 403);
  assert.equal(await page.evaluate(opened, `ws://${NAME}:${PORT}/ws`), false);
});
