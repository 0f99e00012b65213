// The selection: coverage 0..255 of every pixel, painted softly. No canvas, no document.

import { union } from "../picture/pixels.mjs";

/** @typedef {import("../picture/pixels.mjs").Rect} Rect */
/** @typedef {{x: number, y: number}} Point */
/** @typedef {{radius: number, hardness: number, erase: boolean}} Brush hardness 0..1: how much of it covers fully */
/** @typedef {{rect: Rect, before: Uint8Array, after: Uint8Array}} Tile */

const TILE = 256;
// Entries of a brush's table: the rim of a hard brush 4000 pixels wide still has eight.
const FINENESS = 1 << 13;
// Of 255: less counts as not selected, as the protocol says.
const LEAST_COVERAGE = 2;

export class Mask {
  /** @type {Map<number, Uint8Array> | null} what tiles held before the change that is under way */
  #kept = null;
  #brush = { radius: 0, hardness: 0, table: new Uint8Array(0), scale: 0 };
  /** @type {Point | null} where the last part of a stroke ended */
  #end = null;

  /**
   * @param {number} width
   * @param {number} height
   */
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.data = new Uint8Array(width * height);
  }

  /**
   * Draw a stroke's next part: as far as the brush reaches from the segment between two points. Parts that overlap do
   * not add up.
   * @param {Point} from
   * @param {Point} to
   * @param {Brush} brush
   * @returns {Rect | null} what may have changed
   */
  stroke(from, to, { radius, hardness, erase }) {
    const area = this.#inside(
      Math.min(from.x, to.x) - radius - 1,
      Math.min(from.y, to.y) - radius - 1,
      Math.max(from.x, to.x) + radius + 1,
      Math.max(from.y, to.y) + radius + 1,
    );
    if (area === null) return null;
    const dx = to.x - from.x;
    const dy = to.y - from.y;
    const squared = dx * dx + dy * dy;
    const before = this.#brush;
    const { table, scale } = (this.#brush = this.#prepared(radius, hardness));
    // What lies behind a stroke that goes on, its last part has covered.
    const onward = squared > 0 && from === this.#end && before === this.#brush;
    this.#end = to;
    const { data } = this;
    const done = erase ? 0 : 255;
    for (let y = area.y; y < area.y + area.height; y++) {
      const py = y + 0.5 - from.y;
      for (let x = area.x, at = y * this.width + area.x; x < area.x + area.width; x++, at++) {
        // Most of what a large brush moves over, it has been over before.
        if (data[at] === done) continue;
        const px = x + 0.5 - from.x;
        let along = px * dx + py * dy;
        if (onward && along <= 0) continue;
        along = along <= 0 ? 0 : along >= squared ? 1 : along / squared;
        const ax = px - along * dx;
        const ay = py - along * dy;
        const index = (ax * ax + ay * ay) * scale;
        if (index >= FINENESS) continue;
        const coverage = table[index | 0];
        if (erase) {
          if (255 - coverage < data[at]) data[at] = 255 - coverage;
        } else if (coverage > data[at]) {
          data[at] = coverage;
        }
      }
    }
    return area;
  }

  /**
   * Select, or take from the selection, whatever another coverage covers.
   * @param {Rect} rect inside
   * @param {(index: number) => number} coverage 0..255 at a pixel of the rectangle, rows first
   * @param {boolean} erase
   */
  cover(rect, coverage, erase) {
    for (let y = 0, index = 0; y < rect.height; y++) {
      for (let x = 0, at = (rect.y + y) * this.width + rect.x; x < rect.width; x++, at++, index++) {
        const value = coverage(index);
        this.data[at] = erase ? Math.min(this.data[at], 255 - value) : Math.max(this.data[at], value);
      }
    }
  }

  /** @param {(value: number) => number} change of every pixel */
  map(change) {
    const table = Uint8Array.from({ length: 256 }, (_, value) => change(value));
    for (let at = 0; at < this.data.length; at++) this.data[at] = table[this.data[at]];
  }

  /**
   * Where anything is selected, by the protocol's least coverage; null for nowhere.
   * @returns {Rect | null}
   */
  bounds() {
    let [left, right, top, bottom] = [this.width, -1, -1, -1];
    for (let y = 0; y < this.height; y++) {
      const row = this.data.subarray(y * this.width, (y + 1) * this.width);
      const first = row.findIndex((value) => value >= LEAST_COVERAGE);
      if (first < 0) continue;
      if (top < 0) top = y;
      bottom = y;
      left = Math.min(left, first);
      right = Math.max(right, row.findLastIndex((value) => value >= LEAST_COVERAGE));
    }
    return top < 0 ? null : { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
  }

  // ---------------------------------------------------------- undo

  /** A change begins: tiles are kept as they are touched. */
  begin() {
    this.#kept = new Map();
  }

  /**
   * Keep what is about to change.
   * @param {Rect} area
   */
  keep(area) {
    if (this.#kept === null) return;
    for (const [key, rect] of this.#tiles(area)) {
      if (!this.#kept.has(key)) this.#kept.set(key, this.#read(rect));
    }
  }

  /**
   * The change is done.
   * @returns {Tile[]} to be given to {@link restore}
   */
  commit() {
    const kept = this.#kept ?? new Map();
    this.#kept = null;
    const all = new Map(this.#tiles({ x: 0, y: 0, width: this.width, height: this.height }));
    return [...kept].map(([key, before]) => {
      const rect = /** @type {Rect} */ (all.get(key));
      return { rect, before, after: this.#read(rect) };
    });
  }

  /**
   * @param {Tile[]} tiles
   * @param {"before" | "after"} which
   * @returns {Rect | null} what has changed
   */
  restore(tiles, which) {
    /** @type {Rect | null} */
    let changed = null;
    for (const tile of tiles) {
      const { rect } = tile;
      for (let y = 0; y < rect.height; y++) {
        const row = tile[which].subarray(y * rect.width, (y + 1) * rect.width);
        this.data.set(row, (rect.y + y) * this.width + rect.x);
      }
      changed = union(changed, rect);
    }
    return changed;
  }

  /**
   * A brush's coverage by the square of the distance from its middle, times `scale`.
   * @param {number} radius
   * @param {number} hardness
   */
  #prepared(radius, hardness) {
    if (this.#brush.radius === radius && this.#brush.hardness === hardness) return this.#brush;
    // At least a pixel wide, so that a hard brush has no steps.
    const rim = Math.max(1, radius * (1 - hardness));
    const inner = Math.max(0, radius + 0.5 - rim);
    const scale = FINENESS / (inner + rim) ** 2;
    const table = Uint8Array.from({ length: FINENESS }, (_, index) => {
      const distance = Math.sqrt((index + 0.5) / scale);
      return Math.round(255 * fall((distance - inner) / rim));
    });
    return { radius, hardness, table, scale };
  }

  /**
   * @param {number} left
   * @param {number} top
   * @param {number} right
   * @param {number} bottom
   * @returns {Rect | null} whole pixels inside the picture
   */
  #inside(left, top, right, bottom) {
    const x = Math.max(0, Math.floor(left));
    const y = Math.max(0, Math.floor(top));
    const width = Math.min(this.width, Math.ceil(right)) - x;
    const height = Math.min(this.height, Math.ceil(bottom)) - y;
    if (width <= 0 || height <= 0) return null;
    const area = { x, y, width, height };
    this.keep(area);
    return area;
  }

  /**
   * @param {Rect} area
   * @returns {Generator<[number, Rect]>}
   */
  *#tiles(area) {
    const across = Math.ceil(this.width / TILE);
    for (let row = Math.floor(area.y / TILE); row * TILE < area.y + area.height; row++) {
      for (let column = Math.floor(area.x / TILE); column * TILE < area.x + area.width; column++) {
        const [x, y] = [column * TILE, row * TILE];
        const width = Math.min(TILE, this.width - x);
        yield [row * across + column, { x, y, width, height: Math.min(TILE, this.height - y) }];
      }
    }
  }

  /** @param {Rect} rect */
  #read(rect) {
    const part = new Uint8Array(rect.width * rect.height);
    for (let y = 0; y < rect.height; y++) {
      const start = (rect.y + y) * this.width + rect.x;
      part.set(this.data.subarray(start, start + rect.width), y * rect.width);
    }
    return part;
  }
}

/**
 * From 1 to 0, level at both ends.
 * @param {number} distance 0..1 across the brush's rim
 */
function fall(distance) {
  const left = 1 - Math.min(1, Math.max(0, distance));
  return left * left * (3 - 2 * left);
}
