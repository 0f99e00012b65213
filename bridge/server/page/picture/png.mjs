// PNG without loss. A browser's canvas multiplies colour by alpha and back, which changes half-transparent pixels; what
// is opened and saved here keeps every byte. PNG specification (third edition), sections 5, 7 and 9 to 11.

/** @typedef {import("./pixels.mjs").Raster} Raster */

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
/** @type {Record<number, number>} channels by colour type */
const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
/** Offset and step of Adam7's passes: x, y, step of x, step of y. */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

/** @typedef {{width: number, height: number, depth: number, colour: number, interlaced: boolean, chunks: Map<string, Uint8Array>}} Header */

/**
 * What a PNG says of itself; null for what is no PNG.
 * @param {Uint8Array} file
 * @returns {Header | null}
 */
export function readHeader(file) {
  if (!SIGNATURE.every((byte, index) => file[index] === byte) || file.length < 33) return null;
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  /** @type {Map<string, Uint8Array>} the first of each kind that comes before the pixels */
  const chunks = new Map();
  for (let at = 8; at + 8 <= file.length; ) {
    const length = view.getUint32(at);
    const name = String.fromCharCode(...file.subarray(at + 4, at + 8));
    if (name === "IDAT" || name === "IEND") break;
    if (!chunks.has(name)) chunks.set(name, file.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  const [depth, colour, , , interlace] = file.subarray(24, 29);
  return { width: view.getUint32(16), height: view.getUint32(20), depth, colour, interlaced: interlace === 1, chunks };
}

/**
 * @param {Uint8Array} file
 * @param {Header} header
 * @returns {Promise<Raster>} 16 bits are rounded to 8
 */
export async function decodePng(file, header) {
  const { width, height } = header;
  const packed = await inflate(pixelData(file));
  const data = new Uint8ClampedArray(4 * width * height);
  const bits = CHANNELS[header.colour] * header.depth;
  let at = 0;
  for (const [left, top, stepX, stepY] of header.interlaced ? ADAM7 : [[0, 0, 1, 1]]) {
    const columns = Math.ceil((width - left) / stepX);
    const rows = Math.ceil((height - top) / stepY);
    if (columns <= 0 || rows <= 0) continue;
    const stride = Math.ceil((columns * bits) / 8);
    const lines = packed.subarray(at, at + rows * (stride + 1));
    if (lines.length < rows * (stride + 1)) throw new Error("The PNG ends too early.");
    unfilter(lines, stride, Math.max(1, bits >> 3));
    expand(lines, stride, columns, rows, header, (x, y) => 4 * ((top + y * stepY) * width + left + x * stepX), data);
    at += lines.length;
  }
  return { width, height, data };
}

/**
 * @param {Raster} raster
 * @returns {Promise<Blob>} RGB when every pixel is opaque, else RGBA
 */
export async function encodePng({ width, height, data }) {
  let opaque = true;
  for (let index = 3; opaque && index < data.length; index += 4) opaque = data[index] === 255;
  const channels = opaque ? 3 : 4;
  const stride = width * channels;
  const lines = new Uint8Array(height * (stride + 1));
  const row = new Uint8Array(stride);
  const above = new Uint8Array(stride);
  for (let y = 0, from = 0, to = 0; y < height; y++) {
    for (let x = 0; x < stride; from += 4, x += channels) {
      for (let channel = 0; channel < channels; channel++) row[x + channel] = data[from + channel];
    }
    // Paeth suits photographs, and every row may use it.
    lines[to++] = 4;
    for (let x = 0; x < stride; x++) {
      const [left, corner] = x < channels ? [0, 0] : [row[x - channels], above[x - channels]];
      lines[to++] = row[x] - paeth(left, above[x], corner);
    }
    above.set(row);
  }
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint32(8, ((8 << 24) | ((opaque ? 2 : 6) << 16)) >>> 0);
  const pixels = await piped(new Blob([lines]), new CompressionStream("deflate"));
  const parts = [
    new Uint8Array(SIGNATURE),
    ...chunk("IHDR", new Uint8Array(header.buffer)),
    ...chunk("sRGB", new Uint8Array([0])),
    ...chunk("IDAT", pixels),
    ...chunk("IEND", new Uint8Array(0)),
  ];
  return new Blob(parts, { type: "image/png" });
}

/** @param {Uint8Array} file */
function pixelData(file) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const parts = [];
  for (let at = 8; at + 8 <= file.length; at += 12 + view.getUint32(at)) {
    if (view.getUint32(at + 4) === 0x49444154) {
      parts.push(/** @type {Uint8Array<ArrayBuffer>} */ (file.subarray(at + 8, at + 8 + view.getUint32(at))));
    }
  }
  return new Blob(parts);
}

/** @param {Blob} blob */
function inflate(blob) {
  return piped(blob, new DecompressionStream("deflate"));
}

/**
 * @param {Blob} blob
 * @param {CompressionStream | DecompressionStream} through
 */
async function piped(blob, through) {
  return new Uint8Array(await new Response(blob.stream().pipeThrough(through)).arrayBuffer());
}

/**
 * Undo the rows' filters in place.
 * @param {Uint8Array} lines each row after its filter's number
 * @param {number} stride bytes of a row
 * @param {number} back bytes to the pixel on the left
 */
function unfilter(lines, stride, back) {
  for (let start = 0; start < lines.length; start += stride + 1) {
    const filter = lines[start];
    if (filter === 0) continue;
    for (let x = 1; x <= stride; x++) {
      const at = start + x;
      const left = x > back ? lines[at - back] : 0;
      const above = start > 0 ? lines[at - stride - 1] : 0;
      if (filter === 1) lines[at] += left;
      else if (filter === 2) lines[at] += above;
      else if (filter === 3) lines[at] += (left + above) >> 1;
      else lines[at] += paeth(left, above, x > back && start > 0 ? lines[at - stride - 1 - back] : 0);
    }
  }
}

/**
 * @param {number} left
 * @param {number} above
 * @param {number} corner
 */
function paeth(left, above, corner) {
  const guess = left + above - corner;
  const [toLeft, toAbove, toCorner] = [Math.abs(guess - left), Math.abs(guess - above), Math.abs(guess - corner)];
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}

/**
 * Turn rows of any colour type and depth into RGBA.
 * @param {Uint8Array} lines
 * @param {number} stride
 * @param {number} columns
 * @param {number} rows
 * @param {Header} header
 * @param {(x: number, y: number) => number} place where a pixel goes
 * @param {Uint8ClampedArray} data
 */
function expand(lines, stride, columns, rows, header, place, data) {
  const { depth, colour, chunks } = header;
  const channels = CHANNELS[colour];
  const palette = chunks.get("PLTE") ?? new Uint8Array(0);
  const clear = chunks.get("tRNS");
  const most = 2 ** depth - 1;
  const samples = [0, 0, 0, 0];
  for (let y = 0; y < rows; y++) {
    const row = lines.subarray(y * (stride + 1) + 1, (y + 1) * (stride + 1));
    for (let x = 0; x < columns; x++) {
      for (let channel = 0; channel < channels; channel++) samples[channel] = sample(row, x * channels + channel, depth);
      const to = place(x, y);
      if (colour === 3) {
        for (let channel = 0; channel < 3; channel++) data[to + channel] = palette[3 * samples[0] + channel];
        data[to + 3] = clear?.[samples[0]] ?? 255;
        continue;
      }
      const grey = channels < 3;
      // The array itself rounds.
      for (let channel = 0; channel < 3; channel++) data[to + channel] = (samples[grey ? 0 : channel] * 255) / most;
      if (channels % 2 === 0) data[to + 3] = (samples[channels - 1] * 255) / most;
      else data[to + 3] = clear !== undefined && isClear(samples, clear, channels) ? 0 : 255;
    }
  }
}

/**
 * @param {Uint8Array} row
 * @param {number} index
 * @param {number} depth
 */
function sample(row, index, depth) {
  if (depth === 8) return row[index];
  if (depth === 16) return (row[2 * index] << 8) | row[2 * index + 1];
  const bit = index * depth;
  return (row[bit >> 3] >> (8 - depth - (bit & 7))) & (2 ** depth - 1);
}

/**
 * @param {number[]} samples
 * @param {Uint8Array} clear the one colour that is transparent, two bytes a channel
 * @param {number} channels
 */
function isClear(samples, clear, channels) {
  for (let channel = 0; channel < channels; channel++) {
    if (samples[channel] !== ((clear[2 * channel] << 8) | clear[2 * channel + 1])) return false;
  }
  return true;
}

/**
 * @param {string} name
 * @param {Uint8Array<ArrayBuffer>} body
 * @returns {Uint8Array<ArrayBuffer>[]}
 */
function chunk(name, body) {
  const head = new DataView(new ArrayBuffer(8));
  head.setUint32(0, body.length);
  for (let index = 0; index < 4; index++) head.setUint8(4 + index, name.charCodeAt(index));
  const named = new Uint8Array(head.buffer);
  const tail = new DataView(new ArrayBuffer(4));
  tail.setUint32(0, crc(body, crc(named.subarray(4))) >>> 0);
  return [named, body, new Uint8Array(tail.buffer)];
}

const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? 0xedb88320 ^ (byte >>> 1) : byte >>> 1;
  return byte;
});

/**
 * @param {Uint8Array} bytes
 * @param {number} [before]
 */
function crc(bytes, before = 0) {
  let value = ~before;
  for (const byte of bytes) value = CRC_TABLE[(value ^ byte) & 255] ^ (value >>> 8);
  return ~value;
}
