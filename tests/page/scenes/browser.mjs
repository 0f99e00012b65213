// The page in a real Chromium, as an artist has it.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { decode } from "@msgpack/msgpack";
import { chromium } from "playwright-core";

export const SCRATCH = process.env.SCRATCH;
const QUIET = ["--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
export const PATIENCE = 60_000;

export const runtime = () => JSON.parse(readFileSync(join(process.env.PAINTBRIDGE_HOME, "runtime.json"), "utf8"));

/** What each page has said to the bridge. */
const said = new WeakMap();
export const sent = (page, type) => said.get(page).filter((message) => message.type === type);

/**
 * Open the page. Whatever it logs as an error, and every request beyond the bridge, is a failure of the test.
 * @param {import("node:test").TestContext} test
 */
export async function open(test, { width = 1280, height = 800, scheme = "light", touch = false, origin, token } = {}) {
  const { url, token: own } = runtime();
  const home = origin ?? `http://${new URL(url).host}`;
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox", "--disable-gpu", ...QUIET] });
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, hasTouch: touch, acceptDownloads: true });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const faults = [];
  // A connection that breaks is told by the browser itself.
  page.on("console", (line) => line.type() === "error" && !line.text().includes("WebSocket connection") && faults.push(line.text()));
  page.on("pageerror", (error) => faults.push(String(error.stack)));
  page.on("request", (request) => {
    if (!request.url().startsWith(`${home}/`) && !request.url().startsWith("blob:")) faults.push(`asked for ${request.url()}`);
  });
  said.set(page, []);
  page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => said.get(page).push(decode(payload))));
  test.after(async () => {
    await browser.close();
    if (faults.length) throw new Error(faults.join("\n"));
  });
  await page.goto(`${home}/#token=${token ?? own}`);
  return page;
}

export const connected = (page) => page.waitForSelector("#status[data-state=open]");

/** Open a picture of the scratch folder, and wait until it is there. */
export async function show(page, name) {
  await connected(page);
  await page.setInputFiles("#file", join(SCRATCH, name));
  await page.waitForSelector("#tools:not([hidden])");
}

/** Where a point of a fitted picture is on the screen: given and wanted in pixels. */
export async function place(page, [width, height], [x, y]) {
  const stage = await page.locator("#overlay").boundingBox();
  const scale = Math.min(1, (stage.width - 48) / width, (stage.height - 48) / height);
  const left = stage.x + Math.round((stage.width - width * scale) / 2);
  const top = stage.y + Math.round((stage.height - height * scale) / 2);
  return [left + x * scale, top + y * scale];
}

/** Paint with the mouse along points of the picture. */
export async function stroke(page, size, points) {
  const [first, ...others] = await Promise.all(points.map((point) => place(page, size, point)));
  await page.mouse.move(...first);
  await page.mouse.down();
  for (const point of others) await page.mouse.move(...point, { steps: 4 });
  await page.mouse.up();
}

/** What a canvas of the page shows at a point of the picture: [r, g, b, a]. */
export async function seen(page, canvas, size, point) {
  const [x, y] = await place(page, size, point);
  return page.evaluate(
    ([id, x, y]) => {
      const canvas = document.querySelector(id);
      const { left, top } = canvas.getBoundingClientRect();
      return [...canvas.getContext("2d").getImageData(x - left, y - top, 1, 1).data];
    },
    [canvas, x, y],
  );
}

/** Wait until what a canvas shows at a point meets a condition. */
export async function until(page, canvas, size, point, condition) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const pixel = await seen(page, canvas, size, point);
    if (condition(pixel)) return pixel;
    if (Date.now() > end) throw new Error(`${canvas} shows ${pixel} at ${point}`);
    await page.evaluate(() => new Promise(requestAnimationFrame));
  }
}

/** Fill in the form; whatever is folded away is unfolded. */
export async function fillIn(page, fields) {
  await page.evaluate(() => (document.querySelector("#request details").open = true));
  for (const [id, value] of Object.entries(fields)) {
    const field = page.locator(`#${id}`);
    if (typeof value === "boolean") await field.setChecked(value);
    else if ((await field.evaluate((element) => element.tagName)) === "SELECT") await field.selectOption(value);
    else await field.fill(String(value));
  }
}

export async function painted(page, layers = 1) {
  await page.click("#paint");
  await page.waitForFunction((count) => document.querySelectorAll(".layer").length === count, layers);
}

/** Save what a button offers. */
export async function saved(page, button, name) {
  const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
  await download.saveAs(join(SCRATCH, name));
  return download.suggestedFilename();
}
