import { hostname } from "node:os";
import type { CancelTimer, Clock, Coordinator } from "../contracts/index.js";
import type { Codec } from "../job/codec/index.js";

/** A running job in a worker's registry entry. */
export interface ActiveJob {
  readonly id: string;
  readonly task: string;
  readonly attempt: number;
  /** Epoch ms. */
  readonly startedAt: number;
}

/** A live worker, as others see it. */
export interface WorkerRecord {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  /** Epoch ms. */
  readonly startedAt: number;
  /** Epoch ms of its last sign of life. */
  readonly seenAt: number;
  readonly queues: readonly string[];
  readonly concurrency: number;
  readonly tasks: readonly string[];
  /** How many jobs run in it. */
  readonly running: number;
  /** Up to `ACTIVE_SHOWN` of them. */
  readonly active: readonly ActiveJob[];
}

/** Enough to see what keeps a worker busy; a full list of thousands would be written at every heartbeat. */
export const ACTIVE_SHOWN = 100;

/** Where worker records stand in the coordinator. */
const WORKER_PREFIX = "worker:";

/** An entry outlives this many missed heartbeats. */
const MISSED_BEATS = 3;

export interface RegistryOptions {
  readonly coordinator: Coordinator;
  readonly codec: Codec;
  readonly clock: Clock;
  readonly heartbeat: number;
  readonly describe: () => Omit<WorkerRecord, "host" | "pid" | "seenAt">;
  readonly onError: (error: unknown) => void;
}

/** Keeps one worker's entry among the live workers while it lives. */
export class Registry {
  readonly #options: RegistryOptions;
  #cancel: CancelTimer | undefined;
  #closed = false;

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.#write();
    if (this.#closed) return;
    this.#cancel = this.#options.clock.schedule(() => void this.start(), this.#options.heartbeat);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    await this.#options.coordinator.remove(this.#key).catch(this.#options.onError);
  }

  get #key(): string {
    return `${WORKER_PREFIX}${this.#options.describe().id}`;
  }

  async #write(): Promise<void> {
    const { coordinator, codec, clock, heartbeat, describe, onError } = this.#options;
    const record: WorkerRecord = { ...describe(), host: hostname(), pid: process.pid, seenAt: clock.now() };
    try {
      await coordinator.put(this.#key, codec.encode([record]), { ttl: heartbeat * MISSED_BEATS });
    } catch (error) {
      onError(error);
    }
  }
}

/** Reads the entries of live workers. One that this version cannot read is left out. */
export async function liveWorkers(coordinator: Coordinator, codec: Codec): Promise<WorkerRecord[]> {
  const entries = await coordinator.list(WORKER_PREFIX);
  return entries.flatMap(({ value }) => {
    const decoded = codec.decode(value);
    const record: unknown = Array.isArray(decoded) ? decoded[0] : undefined;
    return isWorkerRecord(record) ? [record] : [];
  });
}

function isWorkerRecord(value: unknown): value is WorkerRecord {
  if (typeof value !== "object" || value === null) return false;
  const record = value as Partial<Record<keyof WorkerRecord, unknown>>;
  const texts = typeof record.id === "string" && typeof record.host === "string";
  const numbers = [record.pid, record.startedAt, record.seenAt, record.concurrency, record.running];
  const lists = [record.queues, record.tasks, record.active];
  return texts && numbers.every((one) => typeof one === "number") && lists.every(Array.isArray);
}
