import type { Clock } from "../../contracts/clock.js";
import { BrokerError } from "../../job/errors.js";
import type { RedisClient } from "./client/client.js";
import { isUnknownScript, toTaskwrightError } from "./errors.js";
import type { Script } from "./scripts/script.js";
import { type Packable, pack, type Unpacked, unpack } from "./wire.js";

/** The server as the contracts of a connection meet it: scripts that run within a deadline, and its clock. */
export class Server {
  readonly client: RedisClient;
  readonly location: string;
  /** Begins every key. */
  readonly prefix: string;
  /** Begins every channel: those of two databases of one server would otherwise be the same. */
  readonly channel: string;
  /** Milliseconds in which it has to answer. */
  readonly timeout: number;
  readonly #clock: Clock;
  /** Servers from 7.0 on run scripts that say so when their memory is full. */
  #runsWhenFull = false;
  /** Milliseconds that the server's clock is ahead of ours. */
  #ahead = 0;
  /** Digests of scripts that the server has run on this connection. */
  readonly #loaded = new Set<string>();
  #closed = false;

  constructor(
    client: RedisClient,
    names: { location: string; prefix: string; db: number },
    clock: Clock,
    timeout: number,
  ) {
    this.client = client;
    this.location = names.location;
    this.prefix = `{${names.prefix}}:`;
    this.channel = `{${names.prefix}}:${names.db}:`;
    this.#clock = clock;
    this.timeout = timeout;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The server's time in epoch ms, as far as it is known here. Nothing is decided by it. */
  get time(): number {
    return Math.round(this.#clock.now() + this.#ahead);
  }

  noteTime(time: number): void {
    this.#ahead = time - this.#clock.now();
  }

  noteVersion(major: number): void {
    this.#runsWhenFull = major >= 7;
  }

  /**
   * Runs a script, and answers as it does. It goes as a whole until the server is known to have it: of two calls at once the
   * second could else overtake the first, which is sent again when the server does not know it.
   */
  run(script: Script, args: Packable): Promise<unknown> {
    return this.runPacked(script, pack(args));
  }

  /** The same with arguments that are packed already. */
  async runPacked(script: Script, packed: Buffer): Promise<unknown> {
    const { source, digest } = (this.#runsWhenFull && script.whenFull) || script;
    const rest = ["1", this.prefix, packed, this.channel, this.client.cluster ? "1" : "0"];
    return this.#within(async () => {
      if (this.#loaded.has(digest)) {
        try {
          return await this.client.send("EVALSHA", [digest, ...rest]);
        } catch (error) {
          if (!isUnknownScript(error)) throw error;
          this.#loaded.delete(digest);
        }
      }
      const answer = await this.client.send("EVAL", [source, ...rest]);
      this.#loaded.add(digest);
      return answer;
    });
  }

  /** Runs a script that packs its answer. */
  async ask(script: Script, args: Packable): Promise<Unpacked> {
    const answer = await this.run(script, args);
    if (answer === null) return undefined;
    return unpack(this.expectBytes(answer));
  }

  /** Runs a script that answers one letter for each item. */
  async letters(script: Script, args: Packable): Promise<string> {
    return this.expectBytes(await this.run(script, args)).toString("latin1");
  }

  /** Sends a plain command. */
  command(name: string, ...args: string[]): Promise<unknown> {
    return this.#within(() => this.client.send(name, args));
  }

  /** Listens to channels, by their whole names. */
  async subscribe(channels: readonly string[]): Promise<void> {
    await this.#withinTime((signal) => this.client.subscribe(channels, signal));
  }

  /** Makes sure that the connection that listens hears. One that does not is replaced: the client sees to that. */
  async probe(): Promise<void> {
    await this.#withinTime((signal) => this.client.probe(signal));
  }

  expectBytes(answer: unknown): Buffer {
    if (Buffer.isBuffer(answer)) return answer;
    throw new BrokerError(`redis at ${this.location} gave an answer that a script of ours does not give`, {
      retryable: false,
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.client.close();
  }

  /** Waits for the connection, then for the answer. What was sent and not answered may have happened. */
  async #within<T>(send: () => Promise<T>): Promise<T> {
    if (this.#closed)
      throw new BrokerError(`the connection to redis at ${this.location} is closed`, { retryable: false });
    if (!this.client.ready) {
      // Perhaps another server, or this one after a restart.
      this.#loaded.clear();
      await this.#withinTime((signal) => this.client.whenReady(signal));
    }
    try {
      return await this.#answered(send());
    } catch (error) {
      throw toTaskwrightError(error, this.location, "unknown");
    }
  }

  /** For what changes nothing: when it fails, nothing has happened. */
  async #withinTime(step: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const abort = new AbortController();
    const late = () => abort.abort(new Error(`no connection within ${this.timeout} ms`));
    const cancel = this.#clock.schedule(late, this.timeout, true);
    try {
      await step(abort.signal);
    } catch (error) {
      throw toTaskwrightError(error, this.location, "none");
    } finally {
      cancel();
    }
  }

  #answered<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const late = () => reject(new Error(`no answer within ${this.timeout} ms`));
      const cancel = this.#clock.schedule(late, this.timeout, true);
      answer.then(resolve, reject).finally(cancel);
    });
  }
}
