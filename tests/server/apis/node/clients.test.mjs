// Clients from npm: OpenAI's own, and one of AUTOMATIC1111's API.

import assert from "node:assert/strict";
import { createReadStream, readFileSync } from "node:fs";
import { test } from "node:test";
import sdwebui from "node-sd-webui";
import OpenAI from "openai";

const { BRIDGE, TOKEN, KEYED, PHOTO, HOLED } = process.env;
const openai = new OpenAI({ baseURL: `${BRIDGE}/v1`, apiKey: TOKEN, maxRetries: 0 });
const isPng = (bytes) => assert.deepEqual([...bytes.subarray(0, 4)], [0x89, 0x50, 0x4e, 0x47]);
const unpacked = (text) => Buffer.from(text, "base64");

test("openai: a picture by an address that opens", async () => {
  const { data } = await openai.images.generate({ prompt: "a bird", size: "64x64", response_format: "url" });
  const answer = await fetch(data[0].url);
  assert.equal(answer.headers.get("content-type"), "image/png");
  isPng(new Uint8Array(await answer.arrayBuffer()));
});

test("openai: an edit of several pictures is one of the first", async () => {
  const image = [HOLED, PHOTO].map((name) => createReadStream(name));
  const answer = await openai.images.edit({ image, prompt: "a bird", model: "gpt-image-1" });
  isPng(unpacked(answer.data[0].b64_json));
  assert.deepEqual(answer.paintbridge.ignored, ["image[1]"]);
});

test("openai: a stream, with its final event", async () => {
  const events = [];
  const asked = { prompt: "a bird", size: "64x64", stream: true, partial_images: 1 };
  for await (const event of await openai.images.generate(asked)) events.push(event);
  assert.equal(events.at(-1).type, "image_generation.completed");
  for (const event of events) isPng(unpacked(event.b64_json));
});

test("openai: errors are its own", async () => {
  await assert.rejects(openai.images.generate({ prompt: "x", model: "unheard-of" }), OpenAI.NotFoundError);
  await assert.rejects(openai.images.generate({ prompt: "x", size: "1x1" }), { status: 400, param: "size" });
});

for (const [how, apiUrl] of [["as it is printed", KEYED], ["without the slash", KEYED.slice(0, -1)]]) {
  test(`node-sd-webui: the address ${how}`, async () => {
    const client = sdwebui({ apiUrl });
    const hires = { upscaleBy: 2, upscaler: "R-ESRGAN 4x+", denoisingStrength: 0.5, steps: 1 };
    const { images, info } = await client.txt2img({ prompt: "a cat", steps: 2, width: 64, height: 64, seed: 4, hires });
    isPng(unpacked(images[0]));
    assert.deepEqual(JSON.parse(info).paintbridge.ignored, ["hr_upscaler"]);
    const told = await client.pngInfo({ imageData: images[0] });
    assert.deepEqual([told.prompt, told.seed, told.width], ["a cat", 4, 64]);
    const picture = readFileSync(PHOTO).toString("base64");
    const painted = await client.img2img({ imageData: [picture], prompt: "a bird", steps: 2, width: 64, height: 64 });
    isPng(unpacked(painted.images[0]));
  });
}
