// Brush, eraser, rectangle, lasso, undo; by mouse, by fingers, and by keys alone.

import assert from "node:assert/strict";
import { test } from "node:test";
import { open, place, seen, show, stroke, until, fillIn } from "./browser.mjs";

const SIZE = [320, 240];
const film = (page, point) => seen(page, "#overlay", SIZE, point).then(([, , , alpha]) => alpha);
const away = (page) => page.mouse.move(2, 2);
const selected = (page, point) => until(page, "#overlay", SIZE, point, ([, , , alpha]) => alpha > 0);
const free = (page, point) => until(page, "#overlay", SIZE, point, ([, , , alpha]) => alpha === 0);

test("a brush is soft, erases, and its strokes are undone one by one", async (t) => {
  const page = await open(t);
  await show(page, "photo.png");
  await page.locator("#size").fill("45");
  await page.locator("#hardness").fill("0");
  await stroke(page, SIZE, [[160, 120]]);
  await away(page);
  await selected(page, [160, 120]);
  const [middle, rim] = [await film(page, [160, 120]), await film(page, [172, 120])];
  assert.ok(middle > rim && rim > 0, `from ${middle} to ${rim}`);
  await page.keyboard.press("e");
  await stroke(page, SIZE, [[160, 120]]);
  await away(page);
  await free(page, [160, 120]);
  await page.click("#undo");
  await selected(page, [160, 120]);
  assert.equal(await film(page, [160, 120]), middle);
  await page.click("#undo");
  await free(page, [160, 120]);
  await page.click("#redo");
  await selected(page, [160, 120]);
});

test("a rectangle and a lasso select what they surround", async (t) => {
  const page = await open(t);
  await show(page, "photo.png");
  await page.keyboard.press("r");
  await stroke(page, SIZE, [[40, 40], [80, 90]]);
  await page.keyboard.press("l");
  await stroke(page, SIZE, [[200, 60], [280, 60], [280, 160], [200, 160]]);
  await away(page);
  for (const point of [[60, 60], [240, 100], [270, 150]]) await selected(page, point);
  for (const point of [[36, 60], [60, 96], [120, 100], [196, 100], [290, 100]]) assert.equal(await film(page, point), 0, point);
  await page.click("#invert");
  await selected(page, [120, 100]);
  await free(page, [60, 60]);
  await page.click("#clear");
  await free(page, [120, 100]);
});

test("one finger paints, two fingers zoom and paint nothing", async (t) => {
  const page = await open(t, { touch: true, width: 400 });
  await show(page, "photo.png");
  const fingers = await page.context().newCDPSession(page);
  const touch = async (type, points) => {
    const touchPoints = await Promise.all(points.map(async (point, id) => {
      const [x, y] = await place(page, SIZE, point);
      return { x, y, id };
    }));
    await fingers.send("Input.dispatchTouchEvent", { type, touchPoints });
  };
  await touch("touchStart", [[160, 100]]);
  await touch("touchMove", [[190, 100]]);
  await touch("touchEnd", []);
  await selected(page, [175, 100]);
  await page.click("#undo");
  await free(page, [175, 100]);
  const before = await page.textContent("#zoom");
  await touch("touchStart", [[140, 120]]);
  await touch("touchStart", [[140, 120], [180, 120]]);
  await touch("touchMove", [[110, 120], [210, 120]]);
  await touch("touchEnd", []);
  await page.waitForFunction((text) => parseInt(document.querySelector("#zoom").textContent) > 1.8 * parseInt(text), before);
  await page.click("#zoom-fit");
  await page.waitForFunction((text) => document.querySelector("#zoom").textContent === text, before);
  for (const x of [110, 140, 180, 210]) assert.equal(await film(page, [x, 120]), 0);
});

test("everything can be done with keys alone", async (t) => {
  const page = await open(t);
  await show(page, "photo.png");
  await page.keyboard.press("r");
  await page.focus("#overlay");
  await page.keyboard.press("Enter");
  for (let step = 0; step < 4; step++) await page.keyboard.press("ArrowRight");
  for (let step = 0; step < 3; step++) await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  assert.match(await page.textContent("#spoken"), /^Ended at 208, 156/);
  await selected(page, [180, 130]);
  await fillIn(page, { steps: 2 });
  // Tab reaches the prompt from the canvas.
  await page.focus("#overlay");
  for (let presses = 0; presses < 30 && !(await page.locator("#prompt").evaluate((e) => e === document.activeElement)); presses++) {
    await page.keyboard.press("Tab");
  }
  await page.keyboard.type("a red berry");
  await page.keyboard.press("Control+Enter");
  await page.waitForSelector(".layer");
  assert.match(await page.textContent("#spoken"), /Done: one layer/);
  assert.equal(await page.textContent(".layer .name"), "a red berry");
  await page.locator(".layer [title=Show]").focus();
  await page.keyboard.press("Enter");
  assert.equal(await page.locator(".layer [title=Show]").getAttribute("aria-pressed"), "false");
  assert.ok(await page.locator(".layer [title=Show]").evaluate((button) => button === document.activeElement), "the focus stays");
});
