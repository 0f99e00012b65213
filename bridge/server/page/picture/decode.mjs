// A file's pixels as the page holds them: 8 bits, sRGB, straight alpha. And what the artist should know about that.

import { hasSoftAlpha } from "./pixels.mjs";
import { decodePng, readHeader } from "./png.mjs";

/** @typedef {import("./pixels.mjs").Raster} Raster */
/** @typedef {import("./png.mjs").Header} Header */

export const MOST_PIXELS = 1 << 26;

/**
 * @param {Blob} file
 * @returns {Promise<{raster: Raster, notes: string[]}>}
 */
export async function decodePicture(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const header = readHeader(bytes);
  if (header !== null) checkSize(header);
  if (header !== null && isPlainSrgb(header)) {
    const notes = header.depth === 16 ? ["The picture has 16 bits a channel; here it is rounded to 8."] : [];
    return { raster: await decodePng(bytes, header), notes };
  }
  return decodeByBrowser(file, header !== null);
}

/**
 * Whether the numbers in the file are sRGB's, so that nothing needs to be converted.
 * @param {Header} header
 */
function isPlainSrgb({ chunks }) {
  if (chunks.has("sRGB")) return !chunks.has("cICP");
  const gamma = chunks.get("gAMA");
  const usual = gamma === undefined || Math.abs(new DataView(gamma.buffer, gamma.byteOffset).getUint32(0) - 45455) < 50;
  return usual && !["iCCP", "cICP", "cHRM"].some((name) => chunks.has(name));
}

/**
 * @param {Blob} file
 * @param {boolean} profiled
 */
async function decodeByBrowser(file, profiled) {
  const bitmap = await createImageBitmap(file, { premultiplyAlpha: "none" });
  const { width, height } = bitmap;
  checkSize({ width, height });
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true, colorSpace: "srgb" });
  if (context === null) throw new Error("There is no memory for a picture of this size.");
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  const notes = profiled ? ["The picture has a colour profile; it was converted to sRGB."] : [];
  if (hasSoftAlpha(data)) notes.push("Half-transparent pixels were rounded by the browser; a plain PNG is kept exactly.");
  return { raster: { width, height, data }, notes };
}

/** @param {{width: number, height: number}} size */
function checkSize({ width, height }) {
  if (width * height <= MOST_PIXELS) return;
  throw new Error(`The picture has ${width} × ${height} pixels; the page takes ${MOST_PIXELS / 1e6} million at most.`);
}
