import { createHash } from "node:crypto";
import { KEEPING } from "./keeping.js";
import { PRELUDE } from "./prelude.js";

/** A Lua script, sent by its digest once the server has it. */
export interface Script {
  readonly source: string;
  /** SHA-1 of the source, by which the server knows it. */
  readonly digest: string;
  /** For servers from 7.0 on, where there is one: they let it run when their memory is full. */
  readonly whenFull?: Script;
}

/** Puts the shared functions before a script's own lines. What it does makes room, or takes little: full memory does not stop it. */
export function script(body: string): Script & { readonly whenFull: Script } {
  const { source, digest } = growingScript(body);
  return { source, digest, whenFull: compiled(`#!lua flags=allow-oom\n${source}`) };
}

/** The same for a script that adds data, which a server refuses when its memory is full. */
export function growingScript(body: string): Script {
  return compiled(`${PRELUDE}${KEEPING}${body}`);
}

/** A source that needs nothing before it. */
export function compiled(source: string): Script {
  return { source, digest: createHash("sha1").update(source).digest("hex") };
}
