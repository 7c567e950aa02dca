import type { Lease } from "../../contracts/broker.js";

/** A token names the claim and the job's number, which are never used twice: `"1234.98304001"`. */
export function toToken(claim: string, seq: number): string {
  return `${claim}.${seq}`;
}

const FORM = /^\d{1,19}\.\d{1,19}$/;

/** Claim and number of a lease, as texts. Of what is no token of ours, those of no job. */
export function fromToken({ token }: Lease): [claim: string, seq: string] {
  if (typeof token !== "string" || !FORM.test(token)) return ["0", "0"];
  const dot = token.indexOf(".");
  return [token.slice(0, dot), token.slice(dot + 1)];
}
