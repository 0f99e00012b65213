// The page behind a proxy that has it in a folder, as the recipes of docs/apis.md do.

import assert from "node:assert/strict";
import { createServer, request } from "node:http";
import { connect } from "node:net";
import { test } from "node:test";
import { connected, open, runtime, sent, show } from "./browser.mjs";

const PREFIX = "/some/where";

/** A proxy for pages and websockets, which takes the folder off. Whatever is asked beside it is not there. */
async function proxy(test) {
  const { hostname, port } = new URL(runtime().url);
  const inside = (url) => (url.startsWith(`${PREFIX}/`) ? url.slice(PREFIX.length) : undefined);
  const server = createServer((asked, answer) => {
    const path = inside(asked.url);
    if (path === undefined) return void answer.writeHead(404).end();
    const passed = request({ hostname, port, path, method: asked.method, headers: asked.headers }, (got) => {
      answer.writeHead(got.statusCode, got.headers);
      got.pipe(answer);
    });
    asked.pipe(passed);
  });
  server.on("upgrade", (asked, near) => {
    const path = inside(asked.url);
    if (path === undefined) return void near.destroy();
    const far = connect(Number(port), hostname, () => {
      const pairs = asked.rawHeaders.flatMap((name, at, all) => (at % 2 ? [] : [`${name}: ${all[at + 1]}\r\n`]));
      far.write(`GET ${path} HTTP/1.1\r\n${pairs.join("")}\r\n`);
      near.pipe(far).pipe(near);
    });
    for (const socket of [near, far]) socket.on("error", () => {});
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  test.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

test("everything that the page asks for is in its folder", async (t) => {
  const home = await proxy(t);
  const page = await open(t, { origin: `${home}${PREFIX}` });
  await show(page, "photo.png");
  assert.equal(sent(page, "hello").length, 1);
  assert.equal(page.url(), `${home}${PREFIX}/`);
  await page.reload();
  await connected(page);
});
