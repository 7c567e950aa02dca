import { createHash } from "node:crypto";
import { hostname } from "node:os";
import type { OutgoingJob } from "../contracts/broker.js";
import { encodeBody } from "./body.js";
import type { Fields } from "./fields.js";
import { formatInstant } from "./instant.js";
import { reprArgs, reprKwargs } from "./repr.js";
import type { Stamps, WireSignature } from "./signature.js";
import type { Form } from "./values.js";

/** A task message of protocol 2 before it is written. */
export interface Draft {
  readonly id: string;
  readonly task: string;
  readonly queue: string;
  readonly priority: number;
  readonly args: readonly unknown[];
  readonly kwargs: Fields;
  readonly rootId: string;
  readonly parentId: string | undefined;
  readonly form: Form;
  readonly groupId?: string | undefined;
  readonly groupIndex?: number | undefined;
  readonly retries?: number | undefined;
  /** Epoch ms. */
  readonly eta?: number | undefined;
  readonly expires?: number | undefined;
  /** Seconds. */
  readonly hardLimit?: number | undefined;
  readonly softLimit?: number | undefined;
  readonly ignoreResult?: boolean | undefined;
  readonly replyTo?: string | undefined;
  readonly shadow?: string | undefined;
  readonly callbacks?: readonly WireSignature[] | undefined;
  readonly errbacks?: readonly WireSignature[] | undefined;
  readonly chain?: readonly WireSignature[] | undefined;
  readonly chord?: WireSignature | undefined;
  /** More headers. */
  readonly headers?: Fields | undefined;
  readonly stamps?: Stamps | undefined;
}

const ORIGIN = `gen${process.pid}@${hostname()}`;

/** Writes a message as Celery does. Throws ConfigError for arguments that Python could not read. */
export function writeMessage(draft: Draft): OutgoingJob {
  const { id, task, queue, priority } = draft;
  const embed = {
    callbacks: someOf(draft.callbacks),
    errbacks: someOf(draft.errbacks),
    chain: someOf(draft.chain),
    chord: draft.chord ?? null,
  };
  const { bytes, ...contentType } = encodeBody([draft.args, draft.kwargs, embed], draft.form, "message");
  const properties = {
    ...contentType,
    correlation_id: id,
    reply_to: draft.replyTo ?? "",
    delivery_mode: 2,
    priority,
  };
  return { id, task, queue, priority, body: bytes, headers: { headers: headersOf(draft), properties } };
}

function headersOf(draft: Draft): Fields {
  const { id, task, args, kwargs } = draft;
  return {
    ...draft.headers,
    ...draft.stamps,
    lang: "js",
    task,
    id,
    shadow: draft.shadow ?? null,
    eta: draft.eta === undefined ? null : formatInstant(draft.eta),
    expires: draft.expires === undefined ? null : formatInstant(draft.expires),
    group: draft.groupId ?? null,
    group_index: draft.groupIndex ?? null,
    retries: draft.retries ?? 0,
    timelimit: [draft.hardLimit ?? null, draft.softLimit ?? null],
    root_id: draft.rootId,
    parent_id: draft.parentId ?? null,
    argsrepr: reprArgs(args),
    kwargsrepr: reprKwargs(kwargs),
    origin: ORIGIN,
    ignore_result: draft.ignoreResult ?? false,
  };
}

/** Celery writes `None` where there is nothing. */
function someOf(list: readonly WireSignature[] | undefined): readonly WireSignature[] | null {
  return list === undefined || list.length === 0 ? null : list;
}

/**
 * An id that follows from the job that leads to it and the place in its workflow: sent a second time, after a crash before
 * the first job was settled, the next one has the same id again.
 */
export function derivedId(from: string, place: string): string {
  const hex = createHash("sha1").update(`${from}\0${place}`).digest("hex");
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 3) | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
