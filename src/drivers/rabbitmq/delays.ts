import { createHash } from "node:crypto";

/**
 * Delays without a plugin, each on time whatever waits before it. A queue of RabbitMQ's lets messages go when they are older
 * than its `x-message-ttl`, the oldest first, so messages that wait equally long share a queue. A delay is written as eight
 * hexadecimal digits of milliseconds, and each digit that is not 0 is one such wait: digit `d` at place `n` waits in the
 * queue of `d * 16^n` ms. The routing key is these digits and the queue to go to at the end, as in `0.0.0.0.0.1.f.4.9c2e`;
 * a topic exchange for each place leads to the waiting queue of its digit, or for a 0 to the next place.
 *
 * Binary digits would need 32 queues instead of 120, and half as many waits as bits: 16 for a day. Sixteen need 5.
 */
export const PLACES = 8;

/** Digits after the first five that are not 0 are rounded up: a delay of a day ends up to 0.3 s late, one of a minute never. */
const DIGITS = 5;
/** The longest that one chain of waits takes, 46 days. What is longer is delayed again by the worker that it comes to. */
export const LONGEST_DELAY = 15 * 16 ** 7;

/** A delay as RabbitMQ can keep it. */
export interface Wait {
  /** Where the first digit that is not 0 stands; 0 is the last. */
  readonly first: number;
  /** One for each place, the first place first. */
  readonly digits: readonly number[];
}

/** @param ms - More than 0. */
export function waitOf(ms: number): Wait {
  const whole = Math.min(LONGEST_DELAY, Math.ceil(ms));
  const rounded = roundUp(whole);
  const text = rounded.toString(16).padStart(PLACES, "0");
  return { first: PLACES - 1 - text.search(/[^0]/), digits: Array.from(text, (digit) => Number.parseInt(digit, 16)) };
}

function roundUp(ms: number): number {
  const unit = 16 ** Math.max(0, ms.toString(16).length - DIGITS);
  return Math.min(LONGEST_DELAY, Math.ceil(ms / unit) * unit);
}

/** A delay that need not be exact, rounded up so that it takes one wait, in one of few queues. */
export function roughly(ms: number): number {
  if (ms <= 0) return 0;
  const unit = 16 ** (Math.ceil(ms).toString(16).length - 1);
  return Math.min(LONGEST_DELAY, Math.ceil(ms / unit) * unit);
}

/** The places of a wait whose digit is not 0, with it. */
export function steps({ digits }: Wait): { place: number; digit: number }[] {
  return digits.flatMap((digit, index) => (digit === 0 ? [] : [{ place: PLACES - 1 - index, digit }]));
}

/** The routing key of a delayed message. */
export function routingKey({ digits }: Wait, queue: string): string {
  return `${digits.map((digit) => digit.toString(16)).join(".")}.${fingerprint(queue)}`;
}

/** Which keys have this digit at this place. */
export function patternAt(place: number, digit: number): string {
  return `${"*.".repeat(PLACES - 1 - place)}${digit.toString(16)}.#`;
}

/** Which keys lead to this queue in the end. */
export function patternOf(queue: string): string {
  return `#.${fingerprint(queue)}`;
}

/** Names may have dots and wildcards in them, and with the digits be longer than a routing key may. */
function fingerprint(queue: string): string {
  return createHash("sha256").update(queue).digest("hex").slice(0, 24);
}
