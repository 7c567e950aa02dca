import type { Envelope } from "../contracts/broker.js";
import { UnreadableError } from "../job/errors.js";
import { decodeBody } from "./body.js";
import {
  countOf,
  type Fields,
  isFields,
  malformed,
  optionalFlag,
  optionalList,
  optionalText,
  textOf,
} from "./fields.js";
import { optionalInstant } from "./instant.js";
import { type Canvas, readCanvas, readCanvases } from "./signature.js";

/** What a Celery message puts beside its body. Brokers carry it as `Envelope.headers`. */
export interface MessageParts {
  /** The table of headers: in protocol 2, the task and how to run it. */
  readonly headers: Fields;
  /** The properties, by their names in AMQP. */
  readonly properties: Fields;
}

/** A Celery task message, read and checked. */
export interface CeleryMessage {
  readonly protocol: 1 | 2;
  readonly id: string;
  readonly task: string;
  readonly args: readonly unknown[];
  readonly kwargs: Fields;
  readonly rootId: string;
  readonly parentId: string | undefined;
  readonly groupId: string | undefined;
  readonly groupIndex: number | undefined;
  /** Runs before this one: 0 in the first. */
  readonly retries: number;
  /** Epoch ms. */
  readonly eta: number | undefined;
  readonly expires: number | undefined;
  /** Seconds. */
  readonly hardLimit: number | undefined;
  readonly softLimit: number | undefined;
  readonly ignoreResult: boolean;
  readonly replyTo: string | undefined;
  /** Sent when it succeeds, with its result (`link`). */
  readonly callbacks: readonly Canvas[];
  /** Sent when it fails (`link_error`). */
  readonly errbacks: readonly Canvas[];
  /** The rest of its chain, the next one last. */
  readonly chain: readonly Canvas[];
  /** The body of the chord whose header it is in. */
  readonly chord: Canvas | undefined;
  readonly headers: Fields;
  readonly properties: Fields;
}

/**
 * Reads a message of protocol 2 or 1. Nothing in it is trusted.
 *
 * @param maxBytes - As in `decodeBody`.
 * @throws UnreadableError that says which part is wrong.
 */
export function readMessage(envelope: Pick<Envelope, "id" | "body" | "headers">, maxBytes?: number): CeleryMessage {
  try {
    const { headers, properties } = partsOf(envelope);
    const body = decodeBody(envelope.body, properties.content_type, headers.compression, maxBytes);
    return Object.hasOwn(headers, "task")
      ? readVersion2(headers, properties, body)
      : readVersion1(headers, properties, body);
  } catch (error) {
    if (error instanceof UnreadableError) throw error;
    // Such as a RangeError, of what nests too deep.
    throw new UnreadableError("the Celery message cannot be read", { cause: error });
  }
}

/** What stands beside the body. Without it, there is nothing to read the body by. */
export function partsOf({ headers }: Pick<Envelope, "headers">): MessageParts {
  const table = headers?.headers ?? {};
  const properties = headers?.properties ?? {};
  if (!isFields(table)) throw malformed("has headers that are no table");
  if (!isFields(properties)) throw malformed("has properties that are no table");
  return { headers: table, properties };
}

function readVersion2(headers: Fields, properties: Fields, body: unknown): CeleryMessage {
  if (!Array.isArray(body) || body.length < 2) throw malformed("has a body that is not [args, kwargs, embed]");
  const [args, kwargs, embed] = body as unknown[];
  const id = idOf(headers);
  const parts = embed === undefined || embed === null ? {} : embed;
  if (!isFields(parts)) throw malformed("has an embed that is no object");
  return {
    protocol: 2,
    id,
    rootId: optionalText(headers, "root_id") ?? id,
    parentId: optionalText(headers, "parent_id"),
    ...readCommon(headers, properties, { args, kwargs }, headers),
    ...readEmbed(parts),
  };
}

/** Protocol 1 has everything in its body; `taskset` is what `group` was once called. */
function readVersion1(headers: Fields, properties: Fields, body: unknown): CeleryMessage {
  if (!isFields(body)) throw malformed("names no task, neither in its headers nor in its body");
  const id = idOf(body);
  return {
    protocol: 1,
    id,
    rootId: id,
    parentId: undefined,
    ...readCommon(body, properties, { args: body.args ?? [], kwargs: body.kwargs ?? {} }, headers),
    ...readEmbed(body),
  };
}

function readCommon(
  fields: Fields,
  properties: Fields,
  call: { readonly args: unknown; readonly kwargs: unknown },
  headers: Fields,
): Omit<CeleryMessage, "protocol" | "id" | "rootId" | "parentId" | "callbacks" | "errbacks" | "chain" | "chord"> {
  if (!Array.isArray(call.args)) throw malformed("has args that are no list");
  if (!isFields(call.kwargs)) throw malformed("has kwargs that are no object");
  const [hardLimit, softLimit] = readTimeLimit(fields);
  return {
    task: textOf(fields, "task"),
    args: call.args,
    kwargs: call.kwargs,
    groupId: optionalText(fields, "group") ?? optionalText(fields, "taskset"),
    groupIndex:
      fields.group_index === undefined || fields.group_index === null ? undefined : countOf(fields, "group_index"),
    retries: countOf(fields, "retries"),
    eta: optionalInstant(fields, "eta"),
    expires: optionalInstant(fields, "expires"),
    hardLimit,
    softLimit,
    ignoreResult: optionalFlag(fields, "ignore_result") ?? false,
    replyTo: optionalText(properties, "reply_to"),
    headers,
    properties,
  };
}

function readEmbed(fields: Fields): Pick<CeleryMessage, "callbacks" | "errbacks" | "chain" | "chord"> {
  const { chord } = fields;
  return {
    callbacks: readCanvases(fields.callbacks, "callbacks"),
    errbacks: readCanvases(fields.errbacks, "errbacks"),
    chain: readCanvases(fields.chain, "chain"),
    chord: chord === undefined || chord === null ? undefined : readCanvas(chord, "chord"),
  };
}

function idOf(fields: Fields): string {
  const id = textOf(fields, "id");
  if (id.length > 255) throw malformed(`has an id of ${id.length} characters; at most 255 fit`);
  return id;
}

/** `[hard, soft]`, in seconds. */
function readTimeLimit(fields: Fields): [hard: number | undefined, soft: number | undefined] {
  const limits = optionalList(fields, "timelimit") ?? [];
  return [secondsOf(limits[0]), secondsOf(limits[1])];
}

function secondsOf(limit: unknown): number | undefined {
  if (limit === undefined || limit === null) return undefined;
  if (typeof limit === "number" && Number.isFinite(limit) && limit > 0) return limit;
  throw malformed("has a timelimit that is not [seconds, seconds]");
}
