// A whole client: fills what is white in a mask.  node fill.mjs PHOTO.png MASK.png OUT.png "a red berry"
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { resolve } from "node:path";
import { decode, encode } from "@msgpack/msgpack";
import { PNG } from "pngjs";
import WebSocket from "ws";

const CHUNK = 1 << 20; // bytes
const [photoFile, maskFile, outFile, prompt] = process.argv.slice(2);
// RGBA, rows from top to bottom, straight alpha: as the bridge wants it.
const [photo, mask] = [photoFile, maskFile].map((file) => PNG.sync.read(readFileSync(file)));
const canvas = { width: photo.width, height: photo.height };
if (mask.width !== canvas.width || mask.height !== canvas.height) throw new Error("Photo and mask differ in size.");

// A bridge that runs leaves its address and its token here.
const named = process.env.PAINTBRIDGE_HOME?.trim().replace(/^~(?=$|[/\\])/, homedir()) || ".paintbridge";
const { url, token } = JSON.parse(readFileSync(resolve(homedir(), named, "runtime.json"), "utf8"));
const socket = new WebSocket(url, { perMessageDeflate: false });
let [arrived, wake] = [[], () => {}];
socket.on("message", (frame) => wake(arrived.push(decode(frame, { useBigInt64: true }))));
socket.on("close", () => wake(arrived.push({ type: "closing", reason: { text: "The connection is closed." } })));
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const say = (type, fields) => socket.send(encode({ type, ...fields }, { useBigInt64: true }));

/** The next message of one of these types. Others are shown, or are an end. */
async function hear(...types) {
  for (;;) {
    while (!arrived.length) await new Promise((resolve) => (wake = resolve));
    const message = arrived.shift();
    if (types.includes(message.type)) return message;
    if (message.type === "progress") console.log(`${message.stage} ${message.step}/${message.steps}`);
    const { type, code, message: words, hint, reason } = message;
    if (["error", "failed"].includes(type)) throw new Error(`${code}: ${words.text} ${hint.text}`);
    if (type === "closing") throw new Error(reason.text);
  }
}

/** A rectangle of a picture, and its description: pictures are named by the hash of their bytes. */
function cut({ data, width }, { x, y, width: w, height: h }, channels) {
  const bytes = Buffer.alloc(w * h * channels);
  for (let row = 0; row < h; row++) {
    for (let column = 0; column < w; column++) {
      const from = 4 * ((y + row) * width + x + column);
      data.copy(bytes, (row * w + column) * channels, from, from + channels);
    }
  }
  const hash = sha256(bytes);
  return { bytes, picture: { hash, byte_count: bytes.length, width: w, height: h, channels } };
}

await new Promise((resolve, reject) => socket.on("open", resolve).on("error", reject));
say("hello", { version: 2, client: "fill.mjs", token });
await hear("welcome");

// Which part of the canvas should the model see? Only the bounds of the selection are asked with.
const marked = [...Array(canvas.width * canvas.height).keys()].filter((index) => mask.data[4 * index] > 0);
if (!marked.length) throw new Error("Nothing is white in the mask.");
const columns = marked.map((index) => index % canvas.width).sort((a, b) => a - b);
const [x, y] = [columns[0], Math.floor(marked[0] / canvas.width)];
const [width, height] = [columns.at(-1) - x + 1, Math.floor(marked.at(-1) / canvas.width) - y + 1];
say("plan", { request: 1, canvas, selection: { x, y, width, height } });
const { context } = await hear("planned");

// That part of the photo, and of the mask: one channel of coverage. What the bridge has already is not sent again.
const pictures = [cut(photo, context, 4), cut(mask, context, 1)];
say("offer", { pictures: pictures.map(({ picture }) => picture) });
for (const hash of (await hear("wanted")).hashes) {
  const { bytes } = pictures.find((cutting) => cutting.picture.hash === hash);
  for (let offset = 0; offset < bytes.length; offset += CHUNK) {
    say("put", { hash, offset, data: bytes.subarray(offset, offset + CHUNK) });
  }
  await hear("stored");
}
const [picture, coverage] = pictures.map((cutting) => cutting.picture);
say("submit", { job: "one", canvas, context, settings: { conditioning: { prompt } }, picture, selection: coverage });
const result = await hear("result");
for (const { x, y, picture: layer, recipe } of result.layers) {
  const parts = [];
  for (let offset = 0; offset < layer.byte_count; offset += CHUNK) {
    say("get", { hash: layer.hash, offset });
    parts.push((await hear("put")).data);
  }
  const rgba = Buffer.concat(parts);
  if (sha256(rgba) !== layer.hash) throw new Error("The layer arrived damaged.");
  for (let index = 0; index < layer.width * layer.height; index++) {
    const [row, from] = [y + Math.floor(index / layer.width), 4 * index];
    const to = 4 * (row * canvas.width + x + (index % layer.width));
    const [over, under] = [rgba[from + 3] / 255, (photo.data[to + 3] / 255) * (1 - rgba[from + 3] / 255)];
    if (over === 0) continue; // The photo's own pixels stay.
    const mix = (c) => Math.round((rgba[from + c] * over + photo.data[to + c] * under) / (over + under));
    photo.data.set([mix(0), mix(1), mix(2), Math.round(255 * (over + under))], to);
  }
  console.log(`seed ${recipe.settings.sampling.seed}, checkpoint ${recipe.settings.checkpoint}`);
}
say("ack", { event: result.event });
writeFileSync(outFile, PNG.sync.write(photo));
socket.close();
