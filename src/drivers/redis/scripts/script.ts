import { createHash } from "node:crypto";
import { PRELUDE } from "./prelude.js";

/** A Lua script, sent by its digest once the server has it. */
export interface Script {
  readonly source: string;
  /** SHA-1 of the source, by which the server knows it. */
  readonly digest: string;
  /** The same for servers from 7.0 on, which let it run when their memory is full: it makes room, or is little. */
  readonly whenFull: { readonly source: string; readonly digest: string };
}

/** Puts the shared functions before a script's own lines. */
export function script(body: string): Script {
  const source = `${PRELUDE}${body}`;
  const whenFull = `#!lua flags=allow-oom\n${source}`;
  return { source, digest: digestOf(source), whenFull: { source: whenFull, digest: digestOf(whenFull) } };
}

function digestOf(source: string): string {
  return createHash("sha1").update(source).digest("hex");
}
