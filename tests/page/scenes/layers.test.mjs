// Results as layers: compared, kept, removed, and painted on again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { open, painted, saved, seen, sent, show, stroke, until, fillIn } from "./browser.mjs";

const SIZE = [320, 240];
const POINT = [160, 120];

test("variants take each other's place, and are held against what was there before", async (t) => {
  const page = await open(t);
  await show(page, "photo.png");
  const look = () => seen(page, "#picture", SIZE, POINT);
  const change = (from) => until(page, "#picture", SIZE, POINT, (pixel) => String(pixel) !== String(from));
  const original = await look();
  await stroke(page, SIZE, [[100, 120], [220, 120]]);
  await fillIn(page, { prompt: "a red berry", batch: 2, steps: 2, seed: 5 });
  await painted(page, 2);
  const first = await change(original);
  const row = (name) => page.locator(".layer", { hasText: name });
  await row("· 2").locator("[title=Show]").click();
  const second = await change(first);
  assert.notDeepEqual(second, original);
  assert.equal(await row("· 1").locator("[title=Show]").getAttribute("aria-pressed"), "false");

  const box = await page.locator("#before").boundingBox();
  await page.mouse.move(box.x + 9, box.y + 9);
  await page.mouse.down();
  assert.deepEqual(await change(second), original);
  await page.mouse.up();
  assert.deepEqual(await change(original), second);
  await page.keyboard.down("x");
  assert.deepEqual(await change(second), original);
  await page.keyboard.up("x");
  assert.deepEqual(await change(original), second);

  await row("· 2").locator("[title^=Keep]").click();
  assert.equal(await page.locator(".layer").count(), 1);
  await page.click("#undo");
  assert.equal(await page.locator(".layer").count(), 2);
  await page.click("#redo");

  // Painted on again: the next job sees the kept layer.
  await fillIn(page, { prompt: "a blue berry", batch: 1 });
  await painted(page, 2);
  const { context, picture } = sent(page, "submit").at(-1);
  const { data } = sent(page, "put").find(({ hash }) => hash === picture.hash);
  const at = 4 * ((POINT[1] - context.y) * context.width + POINT[0] - context.x);
  assert.deepEqual([...data.subarray(at, at + 4)], second);
  await row("a blue berry").locator("[title=Remove]").click();
  await row("a red berry").locator("[title=Remove]").click();
  assert.deepEqual(await change(second), original);
  assert.equal(await page.locator("#layers").isVisible(), false);
});

test("a picture is generated on an empty one, and its seed can be used again", async (t) => {
  const page = await open(t);
  await page.waitForSelector("#status[data-state=open]");
  await page.click("#blank");
  await page.getByText("Generate", { exact: true }).click();
  await fillIn(page, { prompt: "a sea", steps: 2 });
  await painted(page);
  await until(page, "#picture", [512, 512], [256, 256], ([r, g, b]) => r + g + b < 765);
  const seed = (await page.textContent(".layer .about")).match(/seed (\d+)/)[1];
  await page.locator(".layer [title='Use its seed']").click();
  assert.equal(await page.inputValue("#seed"), seed);
  await painted(page, 2);
  const [one, two] = await page.locator(".layer canvas").evaluateAll((all) => all.map((canvas) => canvas.toDataURL()));
  assert.equal(one, two);
});

test("an empty picture is of the size that suits the checkpoint", async (t) => {
  const page = await open(t);
  await page.waitForSelector("#status[data-state=open]");
  await fillIn(page, { checkpoint: "large" });
  await page.click("#blank");
  await page.getByText("Generate", { exact: true }).click();
  await page.click("#paint");
  await page.locator(".job").getByText("Cancel").click();
  await page.locator(".job").waitFor({ state: "detached" });
  assert.deepEqual(sent(page, "plan").at(-1).canvas, { width: 768, height: 768 });
});

test("a picture is enlarged, which can be undone with its layers and its selection", async (t) => {
  const page = await open(t);
  await show(page, "photo.png");
  await stroke(page, SIZE, [[100, 120], [220, 120]]);
  await fillIn(page, { prompt: "a red berry", steps: 2, seed: 5 });
  await painted(page);
  const before = await seen(page, "#picture", SIZE, POINT);
  await page.getByText("Upscale", { exact: true }).click();
  assert.ok(!(await page.locator("#batch").isVisible()), "a picture is enlarged once");
  await fillIn(page, { scale: "2", steps: 4 });
  await page.click("#paint");
  await page.getByText("The picture is 640 by 480 pixels now").waitFor();
  assert.equal(sent(page, "submit").at(-1).settings.scale, 2);
  assert.equal(await page.locator(".layer").count(), 0);
  await saved(page, page.locator("#download"), "photo-enlarged.png");
  await page.click("#undo");
  await page.waitForSelector(".layer");
  assert.deepEqual(await until(page, "#picture", SIZE, POINT, (pixel) => String(pixel) === String(before)), before);
  await until(page, "#overlay", SIZE, POINT, ([, , , alpha]) => alpha > 100);
});
