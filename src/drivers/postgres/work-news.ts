import type { Unsubscribe } from "../../contracts/notifier.js";
import type { Hints } from "./hints.js";

/** Told that jobs of a queue may be claimed, the first at `due` in epoch ms of the server's clock. No queue: of any. */
export type OnWork = (queue: string | undefined, due: number) => void;

/** Brings what is heard of new work to the hints and to those who wait for it. */
export class WorkNews {
  readonly #hints: Hints;
  readonly #observers = new Set<OnWork>();

  constructor(hints: Hints) {
    this.#hints = hints;
  }

  observe(observer: OnWork): Unsubscribe {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  /** A message of the channel: pairs of queue and due. Empty or missing: anything may have happened. */
  hear(message: string | undefined): void {
    const pairs: unknown = message ? JSON.parse(message) : undefined;
    if (!Array.isArray(pairs)) {
      this.tellAll();
      return;
    }
    for (const pair of pairs as unknown[]) {
      const [queue, due] = Array.isArray(pair) ? (pair as unknown[]) : [];
      if (typeof queue === "string" && typeof due === "number") this.tell(queue, due);
    }
  }

  /** `due` 0: whenever. */
  tell(queue: string, due: number): void {
    if (due === 0) this.#hints.reset(queue);
    else this.#hints.lower(queue, due);
    for (const observer of [...this.#observers]) observer(queue, due);
  }

  tellAll(): void {
    this.#hints.resetAll();
    for (const observer of [...this.#observers]) observer(undefined, 0);
  }
}
