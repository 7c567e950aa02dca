import type { CancelTimer, Clock } from "../../contracts/clock.js";
import type { Logger } from "../../contracts/logger.js";
import type { Unsubscribe } from "../../contracts/notifier.js";
import type { PgClient } from "./client.js";
import type { Database } from "./database.js";
import { hearsOthers } from "./echo.js";
import { toTaskwrightError } from "./errors.js";

/** What is told: new work, jobs to stop, outcomes and reports. */
export type ChannelKind = "work" | "stop" | "news";

/** Hears what comes through a channel, or `undefined` when something may have been missed. */
export type Hear = (message: string | undefined) => void;

/** Milliseconds between tries to connect: doubling up to the longest, each with up to half of jitter. */
const FIRST_RETRY = 50;
const LONGEST_RETRY = 2000;
/** How often the connection is asked whether it is still there, in ms: of a cut network it would hear nothing. */
const HEARTBEAT = 15_000;
/** How long it is taken for granted that nothing can be heard, in ms. */
const DEAFNESS = 60_000;

interface Notification {
  readonly channel: string;
  readonly payload?: string;
}

/**
 * Who listens to which channel, over one connection of the process. It is opened when somebody first listens, and opened
 * again when it breaks; then everybody hears that they may have missed something. Where nothing can be heard, they hear that
 * every `pollInterval`, and so look.
 */
export class Channels {
  readonly #database: Database;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #pollInterval: number;
  readonly #listeners: Record<ChannelKind, Set<Hear>> = { work: new Set(), stop: new Set(), news: new Set() };
  /** Channel names that the connection listens to, and what they carry. */
  readonly #names = new Map<string, ChannelKind>();
  #client: PgClient | undefined;
  #opening: Promise<PgClient | undefined> | undefined;
  /** Of the present connection, by kind: resolves when it listens. */
  #listening = new Map<ChannelKind, Promise<void>>();
  #cancelTimer: CancelTimer = () => {};
  #tries = 0;
  /** Until when nothing can be heard, as was found out. */
  #deafUntil = 0;
  #closed = false;

  constructor(database: Database, logger: Logger, pollInterval: number) {
    this.#database = database;
    this.#logger = logger;
    this.#pollInterval = pollInterval;
    this.#clock = database.clock;
  }

  /** Is everything heard that is told now? */
  get healthy(): boolean {
    return this.#client !== undefined;
  }

  /** When it resolves, everything told from then on is heard, or looked for where nothing can be heard. */
  async subscribe(kind: ChannelKind, hear: Hear): Promise<Unsubscribe> {
    const listeners = this.#listeners[kind];
    listeners.add(hear);
    try {
      await this.#listen(kind);
    } catch (error) {
      listeners.delete(hear);
      throw toTaskwrightError(error, this.#database.location, "none");
    }
    return () => listeners.delete(hear);
  }

  async #listen(kind: ChannelKind): Promise<void> {
    const client = await this.#connected();
    if (client === undefined) return;
    let listening = this.#listening.get(kind);
    if (listening === undefined) {
      listening = this.#listenOn(client, kind);
      this.#listening.set(kind, listening);
      listening.catch(() => this.#listening.delete(kind));
    }
    await listening;
  }

  async #listenOn(client: PgClient, kind: ChannelKind): Promise<void> {
    const { schema, timeout } = this.#database;
    const ask = (text: string) => client.query({ text, rowMode: "array", query_timeout: timeout });
    const { rows } = await ask(`SELECT ${schema}.channel('${kind}')`);
    const [name] = rows[0] as unknown[];
    this.#names.set(String(name), kind);
    await ask(`LISTEN ${String(name)}`);
  }

  /** Nothing where nothing can be heard. */
  #connected(): Promise<PgClient | undefined> {
    if (this.#client !== undefined || this.#isDeaf) return Promise.resolve(this.#client);
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  get #isDeaf(): boolean {
    return this.#clock.now() < this.#deafUntil;
  }

  async #open(): Promise<PgClient | undefined> {
    const client = await this.#database.connect();
    const hears = await hearsOthers(client, this.#database).catch((error: unknown) => {
      client.release(true);
      throw error;
    });
    if (this.#closed || !hears) client.release(true);
    if (this.#closed) throw new Error("the connection is closed");
    if (!hears) {
      this.#turnDeaf();
      return undefined;
    }
    this.#deafUntil = 0;
    client.on("notification", this.#deliver);
    client.on("error", this.#lose);
    client.on("end", this.#lose);
    this.#client = client;
    this.#tries = 0;
    this.#scheduleHeartbeat();
    return client;
  }

  #turnDeaf(): void {
    const { location } = this.#database;
    const advice = "nothing that is told through LISTEN arrives here (PgBouncer in transaction mode?)";
    const what = `it is looked for every ${this.#pollInterval} ms instead; set listen=false, or give the server itself`;
    if (this.#deafUntil === 0) this.#logger.warn({ location }, `${advice}: ${what}`);
    this.#deafUntil = this.#clock.now() + DEAFNESS;
    this.#cancelTimer();
    this.#schedulePolling();
  }

  #schedulePolling(): void {
    this.#cancelTimer = this.#clock.schedule(() => {
      if (!this.#isDeaf) return void this.#recover();
      this.#tellEverybody();
      this.#schedulePolling();
    }, this.#pollInterval);
  }

  readonly #deliver = (notification: unknown): void => {
    const { channel, payload = "" } = notification as Notification;
    const kind = this.#names.get(channel);
    if (kind === undefined || this.#closed) return;
    for (const hear of [...this.#listeners[kind]]) hear(payload);
  };

  readonly #lose = (): void => {
    const client = this.#client;
    if (client === undefined) return;
    this.#drop(client);
    if (!this.#closed) this.#scheduleReconnect();
  };

  #drop(client: PgClient): void {
    this.#cancelTimer();
    this.#client = undefined;
    this.#listening = new Map();
    client.off("notification", this.#deliver);
    client.off("end", this.#lose);
    client.release(true);
  }

  #scheduleHeartbeat(): void {
    this.#cancelTimer = this.#clock.schedule(() => void this.#beat(), HEARTBEAT);
  }

  async #beat(): Promise<void> {
    try {
      await this.#client?.query({ text: "SELECT 1", query_timeout: this.#database.timeout });
      if (this.#client !== undefined) this.#scheduleHeartbeat();
    } catch {
      this.#lose();
    }
  }

  #scheduleReconnect(): void {
    const pause = Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** this.#tries++);
    const delay = this.#database.jitter(pause);
    this.#cancelTimer = this.#clock.schedule(() => void this.#recover(), delay, true);
  }

  /** Listens to everything again, and tells everybody that they may have missed something. */
  async #recover(): Promise<void> {
    const kinds = (Object.keys(this.#listeners) as ChannelKind[]).filter((kind) => this.#listeners[kind].size > 0);
    if (kinds.length === 0 || this.#closed) return;
    try {
      for (const kind of kinds) await this.#listen(kind);
    } catch (error) {
      this.#logger.debug({ error }, "no connection to postgres to listen on");
      if (this.#client !== undefined) this.#drop(this.#client);
      if (!this.#closed) this.#scheduleReconnect();
      return;
    }
    this.#tellEverybody();
  }

  #tellEverybody(): void {
    for (const listeners of Object.values(this.#listeners)) for (const hear of [...listeners]) hear(undefined);
  }

  close(): void {
    this.#closed = true;
    this.#cancelTimer();
    if (this.#client !== undefined) this.#drop(this.#client);
  }
}
