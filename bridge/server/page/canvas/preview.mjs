// A job's preview, in place: stretched over its context, and seen where the selection is.

import { crop } from "../picture/pixels.mjs";

/** @typedef {import("../picture/pixels.mjs").Rect} Rect */
/** @typedef {import("../mask/mask.mjs").Mask} Mask */

const MOST_SIDE = 768;

export class Preview {
  /** Empty until the first preview has come. */
  canvas = new OffscreenCanvas(1, 1);
  #stencil;

  /**
   * @param {Rect} context
   * @param {Mask | null} mask null: all of the context
   */
  constructor(context, mask) {
    this.context = context;
    const scale = Math.min(1, MOST_SIDE / Math.max(context.width, context.height));
    this.width = Math.max(1, Math.round(context.width * scale));
    this.height = Math.max(1, Math.round(context.height * scale));
    this.#stencil = mask === null ? null : this.#cut(mask);
  }

  /** @param {{width: number, height: number, data: Uint8Array}} preview RGB */
  show({ width, height, data }) {
    const image = new ImageData(width, height);
    for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
      image.data[to] = data[from];
      image.data[to + 1] = data[from + 1];
      image.data[to + 2] = data[from + 2];
      image.data[to + 3] = 255;
    }
    const small = new OffscreenCanvas(width, height);
    small.getContext("2d")?.putImageData(image, 0, 0);
    this.canvas.width = this.width;
    this.canvas.height = this.height;
    const drawing = this.canvas.getContext("2d");
    if (drawing === null) return;
    drawing.drawImage(small, 0, 0, this.width, this.height);
    if (this.#stencil === null) return;
    drawing.globalCompositeOperation = "destination-in";
    drawing.drawImage(this.#stencil, 0, 0);
  }

  /** @param {Mask} mask as it is now: it may change while the job runs */
  #cut(mask) {
    const { context } = this;
    const coverage = crop(mask.data, mask.width, context, 1);
    const image = new ImageData(this.width, this.height);
    for (let y = 0, to = 3; y < this.height; y++) {
      const row = Math.floor(((y + 0.5) * context.height) / this.height) * context.width;
      for (let x = 0; x < this.width; x++, to += 4) {
        image.data[to] = coverage[row + Math.floor(((x + 0.5) * context.width) / this.width)];
      }
    }
    const canvas = new OffscreenCanvas(this.width, this.height);
    canvas.getContext("2d")?.putImageData(image, 0, 0);
    return canvas;
  }
}
