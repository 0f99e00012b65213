// A photograph is opened, a mask painted, a fill made, watched, and saved. What was saved, test_page.py looks at.

import assert from "node:assert/strict";
import { test } from "node:test";
import { open, painted, saved, seen, show, stroke, until, fillIn } from "./browser.mjs";

const SIZE = [320, 240];

for (const [name, scheme] of [["photo", "light"], ["glass", "dark"]]) {
  test(`a strict fill of ${name}.png changes nothing outside the selection`, async (t) => {
    const page = await open(t, { scheme });
    await show(page, `${name}.png`);
    await page.locator("#size").fill("30");
    await stroke(page, SIZE, [[120, 120], [180, 130]]);
    const [, , , film] = await until(page, "#overlay", SIZE, [150, 125], ([, , , alpha]) => alpha > 100);
    assert.ok(film < 255, "the picture shows through the selection");
    await fillIn(page, { prompt: "a red berry", strict: true, steps: 4, seed: 11 });
    await painted(page);
    assert.equal(await saved(page, page.locator("#download"), `${name}-painted.png`), `${name}-painted.png`);
    await saved(page, page.locator(".layer [title='Download this layer']"), `${name}-layer.png`);
  });
}

test("previews are seen in place while the job runs, and give way to its result", async (t) => {
  const page = await open(t);
  await show(page, "photo.png");
  await stroke(page, SIZE, [[100, 120], [220, 120]]);
  const before = await seen(page, "#picture", SIZE, [160, 120]);
  // As long as it takes to see three of them, however fast the machine is.
  await fillIn(page, { checkpoint: "slow", steps: 1000, seed: 3, prompt: "a sea" });
  await page.click("#paint");
  const shades = new Set();
  await until(page, "#overlay", SIZE, [160, 120], (pixel) => pixel[3] === 255 && shades.add(String(pixel)).size === 3);
  await page.locator(".job").getByText("Cancel").click();
  await page.locator(".job").waitFor({ state: "detached" });
  await until(page, "#overlay", SIZE, [160, 120], ([, , , alpha]) => alpha < 255);
  assert.deepEqual(await seen(page, "#picture", SIZE, [160, 120]), before, "a cancelled job leaves nothing");
  await fillIn(page, { steps: 4 });
  await painted(page);
  await until(page, "#picture", SIZE, [160, 120], (pixel) => String(pixel) !== String(before));
  assert.equal((await seen(page, "#overlay", SIZE, [160, 120]))[3], 0, "nothing lies over the result");
});

test("a jpeg is opened by pasting, a picture by dropping", async (t) => {
  const page = await open(t);
  const give = (event) =>
    page.evaluate(async (event) => {
      const canvas = new OffscreenCanvas(64, 48);
      canvas.getContext("2d").fillRect(0, 0, 64, 48);
      const data = new DataTransfer();
      data.items.add(new File([await canvas.convertToBlob({ type: "image/jpeg" })], "given.jpg", { type: "image/jpeg" }));
      const made =
        event === "paste"
          ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true })
          : new DragEvent("drop", { dataTransfer: data, bubbles: true });
      document.body.dispatchEvent(made);
    }, event);
  for (const event of ["paste", "drop"]) {
    await give(event);
    await until(page, "#picture", [64, 48], [32, 24], ([red, , , alpha]) => red < 8 && alpha === 255);
    await page.reload();
    await page.waitForSelector("#status[data-state=open]");
  }
});
