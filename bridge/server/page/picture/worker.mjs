// What blocks: reading and writing picture files, in a thread of its own.

import { decodePicture } from "./decode.mjs";
import { encodePng } from "./png.mjs";

/** @type {Record<string, (argument: any) => Promise<any>>} */
const TASKS = { decode: decodePicture, encode: encodePng };

self.onmessage = async ({ data: { id, task, argument } }) => {
  try {
    const result = await TASKS[task](argument);
    const moved = result.raster ? [result.raster.data.buffer] : [];
    self.postMessage({ id, result }, { transfer: moved });
  } catch (error) {
    self.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
};
