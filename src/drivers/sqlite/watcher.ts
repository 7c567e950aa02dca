import type { CancelTimer, Clock } from "../../contracts/clock.js";
import { integer } from "./cells.js";
import type { Client, Statement } from "./clients/client.js";

type Observer = () => void;

/**
 * Milliseconds between looks: after a change others tend to follow, and a long silence costs little. Measured on a
 * virtual machine of 2 cores, with nothing to do: a look each 8 ms takes 1.8 % of a core, each 5 ms 2.7 %, most of it for
 * waking up; a job is then picked up after 2 ms at the median in work, and after 5 to 8 ms out of a long silence.
 */
const INTERVALS = [
  { quietLooks: 100, interval: 1 },
  { quietLooks: 300, interval: 5 },
] as const;
const IDLE_INTERVAL = 8;

/** No `data_version` has this value. */
const NEVER = -1;

/**
 * Tells when the file has changed. For the writes of other connections it looks at `PRAGMA data_version` (2 to 4
 * microseconds), but only while somebody observes; writes of its own connection are announced with `touch`.
 */
export class Watcher {
  readonly #clock: Clock;
  readonly #statement: Statement;
  readonly #onError: (error: unknown) => void;
  readonly #observers = new Map<Observer, boolean>();
  #keptAliveBy = 0;
  #version: number;
  #generation = 0;
  #quietLooks = 0;
  #announced = false;
  #timer: { readonly cancel: CancelTimer; readonly keepAlive: boolean; readonly at: number } | undefined;

  constructor(client: Client, clock: Clock, onError: (error: unknown) => void) {
    this.#clock = clock;
    this.#statement = client.prepare("PRAGMA data_version");
    this.#onError = onError;
    this.#version = this.#dataVersion();
  }

  /** Grows with each change that was noticed. Who reads it before looking into the file cannot miss a later one. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * Calls `observer` after each change from now on, and may do so without one.
   *
   * @param keepAlive Whether the process must not exit meanwhile.
   */
  observe(observer: Observer, keepAlive: boolean): () => void {
    this.#observers.set(observer, keepAlive);
    if (keepAlive) this.#keptAliveBy++;
    this.#run();
    return () => {
      if (!this.#observers.delete(observer)) return;
      if (keepAlive) this.#keptAliveBy--;
      this.#run();
    };
  }

  /** This connection wrote something that observers may wait for. They are called once, after the present turn. */
  touch(): void {
    this.#generation++;
    if (this.#announced) return;
    this.#announced = true;
    queueMicrotask(() => {
      this.#announced = false;
      this.#announce();
    });
  }

  close(): void {
    this.#observers.clear();
    this.#keptAliveBy = 0;
    this.#run();
  }

  #announce(): void {
    for (const observer of [...this.#observers.keys()]) {
      if (!this.#observers.has(observer)) continue;
      try {
        observer();
      } catch (error) {
        this.#onError(error);
        // Whatever it failed to read is still there: the next look is to find a change again.
        this.#version = NEVER;
      }
    }
  }

  /** Starts, stops or exchanges the timer, as the observers now need. */
  #run(): void {
    const keepAlive = this.#keptAliveBy > 0;
    if (this.#timer !== undefined && this.#observers.size > 0 && this.#timer.keepAlive === keepAlive) return;
    const at = this.#timer?.at ?? this.#clock.now() + this.#interval();
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#observers.size === 0) return;
    // An exchange keeps the time of the next look, or observers that come and go would put it off for ever.
    const delay = Math.max(0, at - this.#clock.now());
    this.#timer = { cancel: this.#clock.schedule(() => this.#look(), delay, keepAlive), keepAlive, at };
  }

  #interval(): number {
    return INTERVALS.find(({ quietLooks }) => this.#quietLooks < quietLooks)?.interval ?? IDLE_INTERVAL;
  }

  #look(): void {
    this.#timer = undefined;
    try {
      const version = this.#dataVersion();
      if (version === this.#version) this.#quietLooks++;
      else this.#changed(version);
    } catch (error) {
      // Busy while another process recovers the log, or the disk failed: the next look will tell.
      this.#onError(error);
    }
    this.#run();
  }

  #changed(version: number): void {
    this.#version = version;
    this.#quietLooks = 0;
    this.#generation++;
    this.#announce();
  }

  #dataVersion(): number {
    const [row] = this.#statement.all([]);
    return row === undefined ? 0 : integer(row, "data_version");
  }
}
