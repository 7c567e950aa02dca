import { hostname, loadavg } from "node:os";
import type { Clock, Exchange, ExchangeMessage, Exchanges, Logger } from "../contracts/index.js";
import { encodeBody } from "./body.js";
import type { Fields } from "./fields.js";

const EVENTS: Exchange = { name: "celeryev", type: "topic" };
/** Seconds between heartbeats: what Celery's workers keep, and monitors expect. */
const BEAT = 2;
const SOFTWARE = { sw_ident: "taskwright", sw_ver: "0", sw_sys: process.platform };

/** A message in JSON, with its headers. */
export function jsonMessage(body: unknown, headers: Fields): ExchangeMessage {
  const { bytes, ...contentType } = encodeBody(body, "json", "message");
  return { body: bytes, headers: { headers, properties: contentType } };
}

export interface AnnouncerOptions {
  readonly exchanges: Exchanges;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly nodename: string;
  readonly sendTaskEvents: boolean;
  /** What a heartbeat tells. */
  readonly counts: () => { readonly active: number; readonly processed: number };
}

/** Sends a worker's events to `celeryev`, which monitors such as Flower listen to, and its heartbeats. */
export class Announcer {
  /** Whether task events are sent: `celery control enable_events` changes it. */
  taskEvents: boolean;
  readonly #options: AnnouncerOptions;
  #ticks = 0;
  #stopBeat: () => void = () => {};

  constructor(options: AnnouncerOptions) {
    this.#options = options;
    this.taskEvents = options.sendTaskEvents;
  }

  /** Celery's logical clock: each message is later than whatever was heard before it. */
  tick(heard = 0): number {
    this.#ticks = Math.max(this.#ticks, heard) + 1;
    return this.#ticks;
  }

  async start(): Promise<void> {
    await this.worker("worker-online");
    this.#schedule();
  }

  async close(): Promise<void> {
    this.#stopBeat();
    await this.worker("worker-offline");
  }

  worker(type: "worker-online" | "worker-heartbeat" | "worker-offline"): Promise<void> {
    const load = loadavg().map((one) => Math.round(one * 100) / 100);
    return this.#send(type, { freq: BEAT, ...SOFTWARE, ...this.#options.counts(), loadavg: load });
  }

  /** Tells of a task, if anybody asked for it. */
  task(type: string, uuid: string, fields: Fields = {}): void {
    if (this.taskEvents) void this.#send(type, { uuid, ...fields });
  }

  #schedule(): void {
    this.#stopBeat = this.#options.clock.schedule(() => {
      void this.worker("worker-heartbeat").then(() => this.#schedule());
    }, BEAT * 1000);
  }

  /** Events are hints: one that cannot be sent is nobody's failure. */
  async #send(type: string, fields: Fields): Promise<void> {
    const { exchanges, clock, nodename, logger } = this.#options;
    const timestamp = clock.now() / 1000;
    const event = {
      type,
      hostname: nodename,
      pid: process.pid,
      clock: this.tick(),
      utcoffset: 0,
      timestamp,
      ...fields,
    };
    try {
      await exchanges.announce(EVENTS, type.replace("-", "."), jsonMessage(event, { hostname: hostname() }));
    } catch (err) {
      logger.debug({ err }, "an event of Celery's could not be sent");
    }
  }
}
