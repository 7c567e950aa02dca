import { randomBytes } from "node:crypto";

const BYTES = 6;

/** One that nobody else has: 48 random bits, which fit a number. */
export function randomNumber(): number {
  return randomBytes(BYTES).readUIntBE(0, BYTES);
}
