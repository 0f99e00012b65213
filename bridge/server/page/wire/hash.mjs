// Pictures are named by the SHA-256 of the bytes that travel.

/**
 * @param {Uint8Array<ArrayBuffer> | Uint8ClampedArray<ArrayBuffer>} bytes
 * @returns {Promise<string>} in lower-case hexadecimal
 */
export async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
