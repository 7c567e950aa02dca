import type { CancelTimer, Clock } from "../../contracts/clock.js";
import { integer } from "./cells.js";
import type { Client, Statement } from "./clients/client.js";
import { Doorbell } from "./doorbell.js";

type Observer = () => void;

/** How long to leave between looks: the first of which `quietLooks` is not reached yet. In ms. */
type Pace = readonly { readonly quietLooks: number; readonly interval: number }[];

/**
 * While no doorbell is heard: after a change others tend to follow, and a long silence costs little. Measured on a
 * virtual machine of 2 cores, with nothing to do: a look each 8 ms takes 1.8 % of a core, each 5 ms 2.7 %, most of it for
 * waking up; a job is then picked up after 2 ms at the median in work, and after 5 to 8 ms out of a long silence.
 */
const DEAF: Pace = [
  { quietLooks: 100, interval: 1 },
  { quietLooks: 300, interval: 5 },
  { quietLooks: Number.POSITIVE_INFINITY, interval: 8 },
];

/**
 * Once the doorbell has been heard, which calls in time where the looks are rare. The frequent ones go on after a change:
 * they keep the code and the file's pages in the processor's caches, and a job is picked up 0.15 ms sooner for it.
 */
const HEARING: Pace = [
  { quietLooks: 100, interval: 1 },
  { quietLooks: Number.POSITIVE_INFINITY, interval: 25 },
];

/** No `data_version` has this value. */
const NEVER = -1;

/**
 * Tells when the file has changed. For the writes of other connections it looks at `PRAGMA data_version` (2 to 4
 * microseconds), but only while somebody observes; writes of its own connection are announced with `touch`.
 *
 * It looks from time to time, which alone is sure, and at once when another process rings.
 */
export class Watcher {
  readonly #clock: Clock;
  readonly #statement: Statement;
  readonly #onError: (error: unknown) => void;
  readonly #doorbell: Doorbell;
  readonly #observers = new Map<Observer, boolean>();
  #keptAliveBy = 0;
  #version: number;
  #generation = 0;
  #quietLooks = 0;
  #announced = false;
  /** Has another process been heard? */
  #hears = false;
  #timer: { readonly cancel: CancelTimer; readonly keepAlive: boolean; readonly at: number } | undefined;

  /** @param path Of the file that `client` has open. */
  constructor(client: Client, path: string, clock: Clock, onError: (error: unknown) => void) {
    this.#clock = clock;
    this.#statement = client.prepare("PRAGMA data_version");
    this.#doorbell = new Doorbell(path, clock, () => this.#rung());
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
    if (keepAlive) {
      this.#keptAliveBy++;
      this.#doorbell.listen();
    }
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
    this.#doorbell.ring();
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
    this.#doorbell.stop();
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
    this.#timer = { cancel: this.#clock.schedule(() => this.#lookInTime(), delay, keepAlive), keepAlive, at };
  }

  #interval(): number {
    const pace = this.#hears ? HEARING : DEAF;
    return pace.find(({ quietLooks }) => this.#quietLooks < quietLooks)?.interval ?? 1;
  }

  #lookInTime(): void {
    this.#timer = undefined;
    // A worker in full work does not wait: what it hears then would only cost time.
    if (this.#keptAliveBy === 0) this.#doorbell.stop();
    if (!this.#look()) this.#quietLooks++;
    this.#run();
  }

  #rung(): void {
    if (this.#observers.size === 0) return this.#doorbell.stop();
    // Our own rings are heard as well, and show nothing new.
    if (!this.#look()) return;
    this.#hears = true;
    this.#hurry();
  }

  /** The timer was set in a silence that is over. */
  #hurry(): void {
    const soon = this.#clock.now() + this.#interval();
    if (this.#timer === undefined || this.#timer.at <= soon) return;
    this.#timer.cancel();
    this.#timer = undefined;
    this.#run();
  }

  /** Answers whether there was a change. */
  #look(): boolean {
    try {
      const version = this.#dataVersion();
      if (version === this.#version) return false;
      this.#version = version;
      this.#quietLooks = 0;
      this.#generation++;
      this.#announce();
      return true;
    } catch (error) {
      // Busy while another process recovers the log, or the disk failed: the next look will tell.
      this.#onError(error);
      return false;
    }
  }

  #dataVersion(): number {
    const [row] = this.#statement.all([]);
    return row === undefined ? 0 : integer(row, "data_version");
  }
}
