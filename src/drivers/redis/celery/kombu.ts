import type { ClaimedJob, DeadReason, Envelope } from "../../../contracts/broker.js";
import { isRecord } from "../../../job/is-record.js";

type Fields = Readonly<Record<string, unknown>>;

/** Stands between a queue's name and a priority. */
const SEPARATOR = "\x06\x16";
/** kombu has four lists for ten priorities; on Redis 0 is the first. */
export const PRIORITY_STEPS: readonly number[] = [0, 3, 6, 9];

/** How often a worker of this house lost the job, and what its attempts left: headers of our own. */
const LOSSES = "taskwright-losses";
const HISTORY = "taskwright-history";
/** Of dead letters: why, when (epoch ms), and under which id, where the message itself has none. */
const REASON = "taskwright-reason";
const DIED = "taskwright-died";
const ID = "taskwright-id";

/** The list in which jobs of a priority wait. */
export function keyOf(queue: string, priority: number): string {
  const step = PRIORITY_STEPS.findLast((one) => one <= priority) ?? 0;
  return step === 0 ? queue : `${queue}${SEPARATOR}${step}`;
}

/** Where parked jobs of a queue are: a list like any other, from which they can be moved back. */
export function deadKeyOf(queue: string): string {
  return `${queue}.dead`;
}

/** The member of `_kombu.binding.<queue>` by which kombu finds the queue of an exchange of the same name. */
export function bindingOf(queue: string): string {
  return [queue, "", queue].join(SEPARATOR);
}

/** The queues that a direct exchange leads to by a routing key, from the members of its binding. */
export function boundQueues(members: readonly string[], routingKey: string): string[] {
  const parts = members.map((member) => member.split(SEPARATOR));
  return parts.flatMap(([key, , queue]) => (key === routingKey && queue ? [queue] : []));
}

/** The queues that an exchange leads to. */
export function boundNames(members: readonly string[]): string[] {
  return members.flatMap((member) => member.split(SEPARATOR)[2] || []);
}

/** What is changed in a message before it is put back. */
export interface Changes {
  readonly losses?: number;
  readonly history?: Uint8Array | undefined;
  /** It goes to the dead letters. */
  readonly dead?: { readonly reason: DeadReason; readonly at: number; readonly id: string };
  readonly redelivered?: boolean;
  /** Where it goes through. Default: the nameless one, which leads to the queue of the routing key. */
  readonly exchange?: string;
}

/** A message as kombu writes it into a list. */
export function writeRaw(envelope: Envelope, tag: string, changes: Changes = {}): string {
  const { headers, properties } = partsOf(envelope);
  const { content_type, content_encoding, ...rest } = properties;
  const info = {
    exchange: changes.exchange ?? "",
    routing_key: envelope.queue,
    ...(changes.redelivered && { redelivered: true }),
  };
  return JSON.stringify({
    body: Buffer.from(envelope.body).toString("base64"),
    "content-encoding": content_encoding ?? "binary",
    "content-type": content_type ?? "application/data",
    headers: changed(headers, changes),
    properties: {
      ...rest,
      delivery_mode: 2,
      delivery_info: info,
      priority: envelope.priority,
      body_encoding: "base64",
      delivery_tag: tag,
    },
  });
}

function changed(headers: Fields, { losses, history, dead, redelivered }: Changes): Fields {
  return {
    ...headers,
    ...(losses !== undefined && { [LOSSES]: losses }),
    ...(history !== undefined && { [HISTORY]: Buffer.from(history).toString("base64") }),
    ...(dead !== undefined && { [REASON]: dead.reason, [DIED]: dead.at, [ID]: dead.id }),
    ...(redelivered && { redelivered: true }),
  };
}

/** What a raw message says of itself, as far as a broker has to know. */
export type RawMessage = Omit<Envelope, "queue"> & Pick<ClaimedJob, "losses" | "history">;

/**
 * Reads a message from a list. What is no message of kombu's comes as its bare bytes, which no protocol can read, so that it
 * is parked.
 */
export function readRaw(raw: Buffer, priority: number, tag: string): RawMessage {
  const message = parse(raw);
  if (message === undefined) return { id: tag, priority, body: raw, headers: {}, losses: 0 };
  const headers = isRecord(message.headers) ? message.headers : {};
  const properties = isRecord(message.properties) ? message.properties : {};
  const { body_encoding: encoding, delivery_info: _info, delivery_tag: _tag, ...rest } = properties;
  const { [LOSSES]: losses, [HISTORY]: history } = headers;
  return {
    id: idOf(headers.id) ?? idOf(properties.correlation_id) ?? tag,
    priority: priorityOf(properties.priority) ?? priority,
    body: bodyOf(message.body, encoding),
    headers: {
      headers: message.headers,
      properties: {
        ...rest,
        content_type: message["content-type"],
        content_encoding: message["content-encoding"],
      },
    },
    losses: typeof losses === "number" && losses > 0 ? losses : 0,
    ...(typeof history === "string" && { history: Buffer.from(history, "base64") }),
  };
}

/** A dead letter: the message as it was when it came, and what is said of its end. */
export interface DeadMessage {
  readonly message: RawMessage;
  readonly reason: unknown;
  /** Epoch ms. */
  readonly diedAt: number;
  /** Runs that the message itself counts. */
  readonly retries: number;
}

/** Reads an element of `<queue>.dead`. */
export function readDead(raw: Buffer): DeadMessage {
  const all = readRaw(raw, 0, "?");
  const table = isRecord(all.headers?.headers) ? all.headers.headers : {};
  const { [LOSSES]: _losses, [HISTORY]: _history, [REASON]: reason, [DIED]: died, [ID]: id, ...headers } = table;
  const message = { ...all, id: idOf(id) ?? all.id, headers: { ...all.headers, headers } };
  const count = (value: unknown): number => (typeof value === "number" && value >= 0 ? value : 0);
  return { message, reason, diedAt: count(died), retries: count(headers.retries) };
}

function parse(raw: Buffer): Fields | undefined {
  try {
    const message: unknown = JSON.parse(raw.toString());
    return isRecord(message) ? message : undefined;
  } catch {
    return undefined;
  }
}

function bodyOf(body: unknown, encoding: unknown): Uint8Array {
  if (typeof body !== "string") return new Uint8Array();
  return Buffer.from(body, encoding === "base64" ? "base64" : "utf8");
}

function priorityOf(priority: unknown): number | undefined {
  return typeof priority === "number" && priority >= 0 && priority <= 9 ? priority : undefined;
}

function idOf(id: unknown): string | undefined {
  return typeof id === "string" && id !== "" && id.length <= 255 ? id : undefined;
}

function partsOf({ headers = {} }: Envelope): { headers: Fields; properties: Fields } {
  const table = isRecord(headers.headers) ? headers.headers : {};
  return { headers: table, properties: isRecord(headers.properties) ? headers.properties : {} };
}
