import { type FSWatcher, utimesSync, watch } from "node:fs";
import type { Clock } from "../../contracts/clock.js";

/**
 * Tells other processes at once that something was committed: whoever writes sets the file's time of modification, and
 * whoever waits hears of that through inotify. It is a hint, never the truth: a writer may lack the right (only the owner
 * may set the time), the system may have no watch left, and other programs do not ring.
 *
 * The file itself, since its log is written to before a commit can be seen, and by claims, which concern nobody: who
 * waited for a result woke up during the commit of the claim, and on a busy machine interrupted it for 0.2 ms.
 *
 * Only on Linux, where a watch does not open the file. Elsewhere it does, and when it is closed the system drops all
 * locks that SQLite holds on the file in this process.
 */
export class Doorbell {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #onRing: () => void;
  #listening: FSWatcher | undefined;
  #canListen = process.platform === "linux";
  #canRing = process.platform === "linux";

  constructor(path: string, clock: Clock, onRing: () => void) {
    this.#path = path;
    this.#clock = clock;
    this.#onRing = onRing;
  }

  /** Heard by our own listening, too. Costs 6 microseconds. */
  ring(): void {
    if (!this.#canRing) return;
    const seconds = this.#clock.now() / 1000;
    try {
      utimesSync(this.#path, seconds, seconds);
    } catch {
      this.#canRing = false;
    }
  }

  /** Calls `onRing` from now on. Keeps no process alive. Costs 20 microseconds, with the `stop` that follows. */
  listen(): void {
    if (this.#listening !== undefined || !this.#canListen) return;
    try {
      this.#listening = watch(this.#path, { persistent: false }, (event) => this.#heard(event));
      this.#listening.on("error", () => this.#fail());
    } catch {
      this.#fail();
    }
  }

  stop(): void {
    this.#listening?.close();
    this.#listening = undefined;
  }

  #heard(event: string): void {
    // What was read before a stop may still be delivered after it.
    if (this.#listening === undefined) return;
    if (event === "change") this.#onRing();
    else this.#fail();
  }

  /** The file is gone or the system does not watch it: from now on others are noticed by looking alone. */
  #fail(): void {
    this.#canListen = false;
    this.stop();
  }
}
