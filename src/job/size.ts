import type { Driver } from "../contracts/index.js";
import { ConfigError } from "./errors.js";

/** What says how much it takes: a driver; undefined where nothing is kept. */
export type Taker = Pick<Driver, "name" | "maxBytes"> | undefined;

/** Whether a driver takes so many bytes. Asked for each job before it is sent with others that fit. */
export function fits(bytes: number, taker: Taker): boolean {
  return taker?.maxBytes === undefined || bytes <= taker.maxBytes;
}

/** The error for what does not fit: the size, the limit and what to do. */
export function tooLong(what: string, bytes: number, taker: Taker): ConfigError {
  const { name, maxBytes = 0 } = taker ?? { name: "the driver" };
  return new ConfigError(
    `${what} has ${show(bytes)} bytes and ${name} takes at most ${show(maxBytes)}: raise maxBytes of the driver, or keep the data elsewhere and send a reference to it`,
  );
}

function show(bytes: number): string {
  return bytes.toLocaleString("en");
}
