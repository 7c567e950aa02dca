import { type Backoff, validateBackoff } from "../job/backoff.js";
import type { Labels, LabelValue, ResolvedOptions } from "../job/options.js";
import { type Fields, isFields, optionalFields } from "./fields.js";

/** What this house adds to a message for its own workers; Celery passes over it. */
const OWN_HEADER = "taskwright";

/** Options for which Celery has no word. */
export type OwnOptions = Pick<ResolvedOptions, "labels" | "attempts" | "backoff" | "delivery" | "result">;

export function ownHeader(headers: Fields): Fields {
  return optionalFields(headers, OWN_HEADER) ?? {};
}

/** Those of others. */
export function otherHeaders({ [OWN_HEADER]: _, ...others }: Fields): Fields {
  return others;
}

/** The headers that carry what Celery has no word for. */
export function ownHeaders({ labels, attempts, backoff, delivery, result }: OwnOptions, more: Fields = {}): Fields {
  const fields = { ...more, labels, attempts, backoff, delivery, ttl: result?.ttl };
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return given.length === 0 ? {} : { [OWN_HEADER]: Object.fromEntries(given) };
}

/** The same from headers that come from outside: what is wrong is dropped. */
export function readOwn(headers: Fields): OwnOptions {
  const { attempts, labels, backoff, delivery, ttl } = ownHeader(headers);
  const policy = backoffOf(backoff);
  return {
    ...(typeof attempts === "number" && attempts >= 1 && { attempts }),
    ...((delivery === "at-most-once" || delivery === "at-least-once") && { delivery }),
    ...(isFields(labels) && { labels: labelsOf(labels) }),
    ...(policy !== undefined && { backoff: policy }),
    ...(typeof ttl === "number" && ttl > 0 && { result: { ttl } }),
  };
}

function labelsOf(labels: Fields): Labels {
  const isValue = (value: unknown): value is LabelValue =>
    value === null || ["string", "number", "boolean"].includes(typeof value);
  return Object.fromEntries(Object.entries(labels).filter((entry): entry is [string, LabelValue] => isValue(entry[1])));
}

function backoffOf(backoff: unknown): Backoff | undefined {
  try {
    return backoff === undefined ? undefined : validateBackoff(backoff, "backoff");
  } catch {
    return undefined;
  }
}
