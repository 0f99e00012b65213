// Rectangles, pictures in memory, and how a layer lies over what is below it.

/** @typedef {{x: number, y: number, width: number, height: number}} Rect */
/** @typedef {Uint8ClampedArray<ArrayBuffer>} Bytes */
/** @typedef {{width: number, height: number, data: Bytes}} Raster RGBA, 8 bits, straight alpha, sRGB */

/**
 * @param {number} width
 * @param {number} height
 * @param {number} [value] of every channel
 * @returns {Raster}
 */
export function makeRaster(width, height, value = 0) {
  return { width, height, data: new Uint8ClampedArray(4 * width * height).fill(value) };
}

/**
 * What two rectangles share; null for nothing.
 * @param {Rect} a
 * @param {Rect} b
 * @returns {Rect | null}
 */
export function intersection(a, b) {
  const x = Math.max(a.x, b.x);
  const y = Math.max(a.y, b.y);
  const width = Math.min(a.x + a.width, b.x + b.width) - x;
  const height = Math.min(a.y + a.height, b.y + b.height) - y;
  return width > 0 && height > 0 ? { x, y, width, height } : null;
}

/**
 * The smallest rectangle around both.
 * @param {Rect | null} a
 * @param {Rect | null} b
 * @returns {Rect | null}
 */
export function union(a, b) {
  if (a === null || b === null) return a ?? b;
  const x = Math.min(a.x, b.x);
  const y = Math.min(a.y, b.y);
  return {
    x,
    y,
    width: Math.max(a.x + a.width, b.x + b.width) - x,
    height: Math.max(a.y + a.height, b.y + b.height) - y,
  };
}

/**
 * A part of rows of pixels, in bytes of its own.
 * @param {Bytes | Uint8Array<ArrayBuffer>} data
 * @param {number} width of a row, in pixels
 * @param {Rect} rect inside
 * @param {number} channels
 * @returns {Bytes}
 */
export function crop(data, width, rect, channels) {
  const row = rect.width * channels;
  const part = new Uint8ClampedArray(row * rect.height);
  for (let y = 0; y < rect.height; y++) {
    const start = ((rect.y + y) * width + rect.x) * channels;
    part.set(data.subarray(start, start + row), y * row);
  }
  return part;
}

/**
 * Copy a rectangle from one picture to another of the same size.
 * @param {Raster} from
 * @param {Raster} to
 * @param {Rect} rect inside
 */
export function copyRect(from, to, rect) {
  for (let y = rect.y; y < rect.y + rect.height; y++) {
    const start = 4 * (y * from.width + rect.x);
    to.data.set(from.data.subarray(start, start + 4 * rect.width), start);
  }
}

/**
 * Lay a layer over a picture, within a rectangle. Where its alpha is 0 the picture's bytes stay as they are.
 * @param {Raster} under
 * @param {Rect & {data: Bytes}} layer
 * @param {Rect} within
 */
export function drawOver(under, layer, within) {
  const area = intersection(layer, within);
  if (area === null) return;
  const [to, from] = [under.data, layer.data];
  for (let y = area.y; y < area.y + area.height; y++) {
    let target = 4 * (y * under.width + area.x);
    let source = 4 * ((y - layer.y) * layer.width + area.x - layer.x);
    for (let x = 0; x < area.width; x++, target += 4, source += 4) {
      const alpha = from[source + 3];
      if (alpha === 0) continue;
      const below = (to[target + 3] * (255 - alpha)) / 255;
      const together = alpha + below;
      // The array itself rounds and clamps.
      for (let channel = 0; channel < 3; channel++) {
        to[target + channel] = (from[source + channel] * alpha + to[target + channel] * below) / together;
      }
      to[target + 3] = together;
    }
  }
}

/**
 * Whether any pixel is neither opaque nor wholly transparent.
 * @param {Bytes} data
 */
export function hasSoftAlpha(data) {
  for (let index = 3; index < data.length; index += 4) {
    if (data[index] !== 0 && data[index] !== 255) return true;
  }
  return false;
}
