// Where on the screen the picture is. Screen coordinates are CSS pixels of the stage.

/** @typedef {import("../mask/mask.mjs").Point} Point */

const CLOSEST = 32;
const MARGIN = 24;

export class Viewport {
  scale = 1;
  x = 0;
  y = 0;
  /** The stage's size. */
  width = 1;
  height = 1;
  /** The picture's size. */
  #picture = { width: 1, height: 1 };

  /** @param {{width: number, height: number}} picture */
  show(picture) {
    this.#picture = picture;
    this.fit();
  }

  /**
   * @param {number} width
   * @param {number} height
   */
  resize(width, height) {
    const fitted = Math.abs(this.scale - this.#fitting()) < 1e-6;
    this.x += (width - this.width) / 2;
    this.y += (height - this.height) / 2;
    this.width = width;
    this.height = height;
    if (fitted) this.fit();
  }

  /** The whole picture, in the middle, never larger than it is. */
  fit() {
    this.scale = this.#fitting();
    // On whole pixels of the screen, or a picture at 100 % would be blurred.
    this.x = Math.round((this.width - this.#picture.width * this.scale) / 2);
    this.y = Math.round((this.height - this.#picture.height * this.scale) / 2);
  }

  /**
   * @param {number} factor
   * @param {Point} [at] what stays where it is; else the middle
   */
  zoom(factor, at = { x: this.width / 2, y: this.height / 2 }) {
    const farthest = Math.min(1, this.#fitting()) / 4;
    const scale = Math.min(CLOSEST, Math.max(farthest, this.scale * factor));
    this.x = at.x - ((at.x - this.x) * scale) / this.scale;
    this.y = at.y - ((at.y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.pan(0, 0);
  }

  /**
   * @param {number} dx
   * @param {number} dy
   */
  pan(dx, dy) {
    // Some of the picture stays in sight.
    const { width, height } = this.#picture;
    this.x = Math.min(this.width - MARGIN, Math.max(MARGIN - width * this.scale, this.x + dx));
    this.y = Math.min(this.height - MARGIN, Math.max(MARGIN - height * this.scale, this.y + dy));
  }

  /**
   * @param {Point} screen
   * @returns {Point} in picture pixels
   */
  toPicture(screen) {
    return { x: (screen.x - this.x) / this.scale, y: (screen.y - this.y) / this.scale };
  }

  /**
   * @param {Point} point in picture pixels
   * @returns {Point}
   */
  toScreen(point) {
    return { x: point.x * this.scale + this.x, y: point.y * this.scale + this.y };
  }

  #fitting() {
    const { width, height } = this.#picture;
    return Math.min(1, (this.width - 2 * MARGIN) / width, (this.height - 2 * MARGIN) / height);
  }
}
