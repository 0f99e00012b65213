// Decodes every test vector, and encodes it again: node decode.mjs protocol.vectors.json
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { decode, encode } from "@msgpack/msgpack";

const isSafe = (value) => value <= BigInt(Number.MAX_SAFE_INTEGER);
// The vectors' JSON form: bytes as {hex}, integers that a double cannot hold as {int}.
const toJson = (value) => {
  if (typeof value === "bigint") return isSafe(value) ? Number(value) : { int: String(value) };
  if (value instanceof Uint8Array) return { hex: Buffer.from(value).toString("hex") };
  if (Array.isArray(value)) return value.map(toJson);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toJson(item)]));
};

const { vectors } = JSON.parse(readFileSync(process.argv[2], "utf8"));
for (const { name, message, hex } of vectors) {
  const decoded = decode(Buffer.from(hex, "hex"), { useBigInt64: true });
  assert.deepEqual(toJson(decoded), message, name);
  // 1.0 becomes 1 here, which the bridge accepts, so what is encoded again is compared by its meaning.
  assert.deepEqual(toJson(decode(encode(decoded, { useBigInt64: true }), { useBigInt64: true })), message, name);
}
console.log(`${vectors.length} vectors`);
