// Picture files, in and out, without holding the page up.

/** @typedef {import("./pixels.mjs").Raster} Raster */

/** @type {Map<number, {resolve: (result: any) => void, reject: (error: Error) => void}>} */
const waiting = new Map();
/** @type {Worker | undefined} */
let worker;
let count = 0;

/**
 * @param {string} task
 * @param {any} argument
 * @returns {Promise<any>}
 */
function work(task, argument) {
  if (worker === undefined) {
    worker = new Worker(new URL("worker.mjs", import.meta.url), { type: "module" });
    worker.onmessage = ({ data: { id, result, error } }) => {
      const { resolve, reject } = /** @type {{resolve: any, reject: any}} */ (waiting.get(id));
      waiting.delete(id);
      if (error === undefined) resolve(result);
      else reject(new Error(error));
    };
  }
  worker.postMessage({ id: ++count, task, argument });
  return new Promise((resolve, reject) => waiting.set(count, { resolve, reject }));
}

/**
 * @param {Blob} file
 * @returns {Promise<{raster: Raster, notes: string[]}>} notes are for the artist
 */
export function readPicture(file) {
  return work("decode", file);
}

/**
 * @param {Raster} raster
 * @param {string} name
 */
export async function savePng(raster, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await work("encode", raster));
  link.download = name;
  link.click();
  // The download has begun by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
