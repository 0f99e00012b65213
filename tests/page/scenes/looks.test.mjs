// How the page looks and reads: screenshots for people to look at, axe for what a machine can tell.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { connected, open, painted, show, stroke, fillIn } from "./browser.mjs";

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const SIZE = [320, 240];

async function examine(page, name) {
  await page.screenshot({ path: join(process.env.SHOTS, `${name}.png`), animations: "disabled" });
  // The policy lets no script in but the page's own; a debugger's is no page's.
  await page.evaluate((await import("node:fs")).readFileSync(axe, "utf8"));
  const { violations } = await page.evaluate(() => window.axe.run());
  const serious = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  const words = serious.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.map(({ html }) => html).join("\n  ")}`);
  assert.equal(serious.length, 0, `${name}\n${words.join("\n")}`);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.equal(overflow, 0, `${name} is wider than the window`);
}

for (const width of [1280, 400]) {
  for (const scheme of ["light", "dark"]) {
    test(`at ${width} pixels, ${scheme}`, async (t) => {
      const page = await open(t, { width, scheme, touch: width === 400 });
      const named = (state) => `${state}-${width}-${scheme}`;
      await connected(page);
      await examine(page, named("empty"));
      await page.click("#more");
      await examine(page, named("checkpoints"));
      await page.keyboard.press("Escape");
      await show(page, "photo.png");
      await page.locator("#size").fill("35");
      await stroke(page, SIZE, [[100, 100], [160, 140], [220, 100]]);
      await examine(page, named("masked"));
      await fillIn(page, { prompt: "a red berry", batch: 2, checkpoint: "slow", steps: 6 });
      await page.click("#paint");
      await page.waitForSelector(".job progress[value]");
      await examine(page, named("running"));
      await page.waitForSelector(".layer");
      await fillIn(page, { batch: 1, checkpoint: "small" });
      await painted(page, 3);
      await examine(page, named("done"));
      await page.click("#clear");
      await page.click("#paint");
      await page.waitForSelector(".notice.error");
      await examine(page, named("refused"));
      await page.evaluate(() => document.querySelector("#keys-dialog").showModal());
      await examine(page, named("keys"));
    });
  }
}

test("controls are large enough to touch, and the order of reading is that of the eye", async (t) => {
  const page = await open(t, { width: 400, touch: true });
  await show(page, "photo.png");
  const small = await page.evaluate(() =>
    [...document.querySelectorAll("button, select, input:not([type=radio], [type=checkbox], [hidden])")]
      .filter((element) => element.checkVisibility())
      .map((element) => [element.id || element.textContent, element.getBoundingClientRect()])
      .filter(([, { width, height }]) => width < 24 || height < 24)
      .map(([name, { width, height }]) => `${name} ${width} x ${height}`),
  );
  assert.deepEqual(small, []);
});
