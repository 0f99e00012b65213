// The selection as a film over the picture, as printers cut theirs out of red foil. Held at screen size, not at that of
// a large picture.

/** @typedef {import("../picture/pixels.mjs").Rect} Rect */
/** @typedef {import("../mask/mask.mjs").Mask} Mask */

const MOST_SIDE = 2048;
const RUBY = [226, 40, 72];
const DENSITY = 0.55;
// The film's pixel for each coverage.
const FILM = new Uint32Array(Uint8Array.from({ length: 1024 }, (_, at) => (at % 4 === 3 ? (at >> 2) * DENSITY : RUBY[at % 4])).buffer);

export class MaskFilm {
  canvas = new OffscreenCanvas(1, 1);
  /** Picture pixels to one of the film. */
  step = 1;
  #mask;

  /** @param {Mask} mask */
  constructor(mask) {
    this.#mask = mask;
    this.step = Math.ceil(Math.max(mask.width, mask.height) / MOST_SIDE);
    this.canvas.width = Math.ceil(mask.width / this.step);
    this.canvas.height = Math.ceil(mask.height / this.step);
  }

  /** @param {Rect} rect where the selection has changed */
  update(rect) {
    const { step } = this;
    const [left, top] = [Math.floor(rect.x / step), Math.floor(rect.y / step)];
    const width = Math.min(this.canvas.width, Math.ceil((rect.x + rect.width) / step)) - left;
    const height = Math.min(this.canvas.height, Math.ceil((rect.y + rect.height) / step)) - top;
    const image = new ImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const middle = step >> 1;
    for (let y = 0, to = 0; y < height; y++) {
      const row = Math.min(this.#mask.height - 1, (top + y) * step + middle) * this.#mask.width;
      for (let x = 0; x < width; x++, to++) {
        const column = Math.min(this.#mask.width - 1, (left + x) * step + middle);
        pixels[to] = FILM[this.#mask.data[row + column]];
      }
    }
    this.canvas.getContext("2d")?.putImageData(image, left, top);
  }
}
