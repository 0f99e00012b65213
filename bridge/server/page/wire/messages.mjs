// Frames and messages: docs/protocol.md, "Frames". A message is a plain object with its type under `type`.

import { decode, encode } from "../vendor/msgpack/index.mjs";

export const CHUNK_BYTES = 1 << 20;

/**
 * What the bridge leaves out of a message, since it is the default.
 * @type {Record<string, Record<string, unknown>>}
 */
const DEFAULTS = {
  welcome: { device: null, recommended: [], loras: [], maps: [] },
  checkpoints: { loras: [], maps: [] },
  progress: { seconds_left: null },
  result: { hints: [], entries: [] },
  trained: { hints: [] },
  browsed: { has_more: false },
  error: { about: "" },
};

/** @typedef {{type: string, [field: string]: any}} Message */

/** Something that went wrong, in words for the artist. `code` is one of docs/protocol.md, "Errors". */
export class BridgeError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {string} hint
   */
  constructor(code, message, hint = "") {
    super(message);
    this.name = "BridgeError";
    this.code = code;
    this.hint = hint;
  }

  /**
   * What an `error`, a `failed` or an `unpulled` says.
   * @param {Message} message
   */
  static told({ code, message, hint }) {
    return new BridgeError(code, message.text, hint.text);
  }
}

/**
 * @param {Message} message
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function encodeMessage(message) {
  return /** @type {Uint8Array<ArrayBuffer>} */ (encode(message, { useBigInt64: true }));
}

/**
 * A frame's message, with the defaults that were left out. Integers that a double cannot hold are bigints.
 * @param {ArrayBuffer | Uint8Array} frame
 * @returns {Message}
 * @throws {BridgeError} `bad_frame`
 */
export function decodeMessage(frame) {
  let plain;
  try {
    plain = decode(frame, { useBigInt64: true });
  } catch {
    throw new BridgeError("bad_frame", "The bridge's message could not be read.", "Load the page again.");
  }
  if (plain === null || typeof plain !== "object" || typeof (/** @type {Message} */ (plain).type) !== "string") {
    throw new BridgeError("bad_frame", "The bridge sent something that is no message.", "Load the page again.");
  }
  const message = /** @type {Message} */ (narrow(plain));
  return { ...DEFAULTS[message.type], ...message };
}

/**
 * Bigints only where they are needed: 64-bit numbers come as bigints, whatever their value.
 * @param {unknown} value
 * @returns {unknown}
 */
function narrow(value) {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (value instanceof Uint8Array || value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(narrow);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, narrow(item)]));
}
