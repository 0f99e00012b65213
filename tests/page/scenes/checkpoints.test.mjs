// What there is to paint with: checkpoints that are fetched, LoRAs that go into the prompt, and what is wrong in the form.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connected, open, painted, sent, show, stroke, fillIn } from "./browser.mjs";

const NAME = "stable-diffusion-v1-5/stable-diffusion-inpainting";

test("a checkpoint is fetched, stopped, fetched on, and chosen when it has come", async (t) => {
  const page = await open(t);
  await connected(page);
  await page.selectOption("#checkpoint", "small");
  await page.getByText("Fetch a grown-up one").click();
  const row = (name) => page.locator("#checkpoints-list li", { hasText: name });
  // The hub lacks all but one.
  await row("Lykon/dreamshaper-8-inpainting").getByText("Fetch", { exact: true }).click();
  await row("Lykon/dreamshaper-8-inpainting").getByText("The hub has no checkpoint").waitFor();
  assert.equal(await page.locator(".notice").count(), 0, "nothing is said behind the dialog");

  await row(NAME).getByText("Fetch", { exact: true }).click();
  await row(NAME).getByText(/\d+ MB of \d+ MB/).waitFor();
  await page.waitForFunction(() => document.querySelector("#checkpoints-list progress:not([hidden])")?.value > 0);
  assert.ok(await row("dreamshaper-8-inpainting").getByRole("button").isDisabled(), "one at a time");
  await row(NAME).getByText("Stop", { exact: true }).click();
  await row(NAME).getByText(/stopped/).waitFor();
  await row(NAME).getByText("Fetch", { exact: true }).click();
  await row(NAME).getByText("Stop", { exact: true }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByText(/^Fetching \d+ %$/).waitFor();
  // Who comes meanwhile is told, too.
  const other = await open(t);
  await other.getByText(/^Fetching \d+ %$/).waitFor();
  await fetch(`${process.env.HUB}/gate`);
  await page.getByText("stable-diffusion-inpainting has arrived.").waitFor();
  assert.equal(await page.inputValue("#checkpoint"), "stable-diffusion-inpainting");
  await other.getByText("stable-diffusion-inpainting has arrived.").waitFor();
  assert.notEqual(await other.inputValue("#checkpoint"), "stable-diffusion-inpainting", "it was not asked for there");
  await other.click("#more");
  await other.locator("#checkpoints-list li", { hasText: NAME }).getByText("Choose").click();
  assert.equal(await other.inputValue("#checkpoint"), "stable-diffusion-inpainting");
});

test("a LoRA goes into the prompt with its trigger word, and is painted with", async (t) => {
  const page = await open(t);
  await show(page, "photo.png");
  await page.fill("#prompt", "a lake");
  await page.selectOption("#lora", "ink");
  assert.equal(await page.inputValue("#prompt"), "a lake, ink wash <lora:ink:1>");
  assert.equal(await page.inputValue("#lora"), "", "it can be added again");
  await stroke(page, [320, 240], [[160, 120]]);
  await fillIn(page, { checkpoint: "tiny", steps: 2 });
  await painted(page);
  assert.equal(sent(page, "submit").at(-1).settings.conditioning.prompt, "a lake, ink wash <lora:ink:1>");
});

test("what is wrong in a field that is folded away is shown", async (t) => {
  const page = await open(t);
  await show(page, "photo.png");
  await fillIn(page, { steps: 0 });
  await page.evaluate(() => (document.querySelector("#advanced").open = false));
  await page.click("#paint");
  await page.waitForFunction(() => document.activeElement.id === "steps");
  assert.ok(await page.isVisible("#steps"));
  assert.equal(sent(page, "plan").length, 0);
});
