import type { Envelope } from "../../contracts/broker.js";
import { isRecord } from "../../job/is-record.js";
import type { Properties } from "./client.js";

type Fields = Readonly<Record<string, unknown>>;

/** AMQP's properties that belong to a job's protocol, by their names in AMQP and in amqplib. */
const NAMES: readonly (readonly [amqp: string, ours: keyof Properties])[] = [
  ["content_type", "contentType"],
  ["content_encoding", "contentEncoding"],
  ["correlation_id", "correlationId"],
  ["reply_to", "replyTo"],
];

/** What a protocol puts beside a body, taken apart: its own headers, and its properties as amqplib names them. */
export interface Parts {
  readonly headers: Fields | undefined;
  readonly properties: Properties;
}

/** The parts of an envelope. The native protocol has headers at most. */
export function partsOf({ headers }: Pick<Envelope, "headers">): Parts {
  if (!isForeign(headers)) return { headers, properties: {} };
  const named: Fields = headers.properties;
  const properties = NAMES.flatMap(([amqp, ours]) => (named[amqp] === undefined ? [] : [[ours, named[amqp]]]));
  return { headers: headers.headers, properties: Object.fromEntries(properties) as Properties };
}

/** What came beside a body, as an envelope has it. Messages of Celery say what their bodies are written in; ours do not. */
export function headersOf(table: Fields, properties: Properties): Envelope["headers"] {
  if (properties.contentType === undefined) return Object.keys(table).length > 0 ? table : undefined;
  const named = NAMES.map(([amqp, ours]) => [amqp, properties[ours]]);
  return { headers: table, properties: Object.fromEntries(named) as Fields };
}

function isForeign(headers: Envelope["headers"]): headers is { headers: Fields; properties: Fields } {
  return isRecord(headers?.headers) && isRecord(headers.properties) && "content_type" in headers.properties;
}
