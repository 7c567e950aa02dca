import type { Listener, Notifier, Topic, Unsubscribe } from "../../contracts/notifier.js";
import type { Shared } from "./broker.js";
import type { SequenceName } from "./statements/sequences.js";

/** With so few listeners, and more news than that, each is looked up; otherwise the news is read as a whole. */
const FEW = 4;

/** Who listens to what of one kind, and up to where the news has been read. */
interface Topics {
  readonly sequence: SequenceName;
  readonly listeners: Map<string, Set<Listener>>;
  /** The last number seen. Meaningful while somebody listens. */
  last: number;
}

/**
 * Tells listeners after each change of the file. What is new is read by its number, in one query however many listen, so
 * 10,000 waiting callers cost as little as one.
 */
export class SqliteNotifier implements Notifier {
  readonly #shared: Shared;
  readonly #topics: Readonly<Record<Topic["kind"], Topics>> = {
    outcome: { sequence: "outcome", listeners: new Map(), last: 0 },
    report: { sequence: "report", listeners: new Map(), last: 0 },
  };
  #stopObserving: (() => void) | undefined;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  async subscribe({ kind, id }: Topic, listener: Listener): Promise<Unsubscribe> {
    const topics = this.#topics[kind];
    if (topics.listeners.size === 0) {
      const { store, statements } = this.#shared;
      topics.last = await store.read(() => statements.sequences.last(topics.sequence));
    }
    const listeners = topics.listeners.get(id) ?? new Set();
    topics.listeners.set(id, listeners.add(listener));
    this.#stopObserving ??= this.#shared.watcher.observe(() => this.#deliver(), true);
    return () => this.#unsubscribe(topics, id, listener);
  }

  #unsubscribe({ listeners }: Topics, id: string, listener: Listener): void {
    const ofId = listeners.get(id);
    if (!ofId?.delete(listener) || ofId.size > 0) return;
    listeners.delete(id);
    if (Object.values(this.#topics).some((topics) => topics.listeners.size > 0)) return;
    this.#stopObserving?.();
    this.#stopObserving = undefined;
  }

  #deliver(): void {
    if (this.#shared.store.closed) return;
    this.#deliverOutcomes(this.#topics.outcome);
    this.#deliverReports(this.#topics.report);
  }

  #deliverOutcomes(topics: Topics): void {
    const last = this.#newest(topics);
    if (last === undefined) return;
    const { statements, store } = this.#shared;
    const few = topics.listeners.size <= FEW && last - topics.last > FEW;
    const news = few
      ? [...topics.listeners.keys()].flatMap((id) => statements.outcomes.find(id, store.now()) ?? [])
      : statements.outcomes.after(topics.last);
    topics.last = last;
    for (const outcome of news) for (const tell of listenersOf(topics, outcome.id)) tell(outcome);
  }

  #deliverReports(topics: Topics): void {
    const last = this.#newest(topics);
    if (last === undefined) return;
    const news = this.#shared.statements.reports.after(topics.last);
    topics.last = last;
    for (const id of news) for (const tell of listenersOf(topics, id)) tell();
  }

  /** The newest number, read before the news: what comes in between is told twice rather than never. */
  #newest({ listeners, sequence, last }: Topics): number | undefined {
    if (listeners.size === 0) return undefined;
    const newest = this.#shared.statements.sequences.last(sequence);
    return newest > last ? newest : undefined;
  }
}

/** A copy: who is told often stops listening. */
function listenersOf(topics: Topics, id: string): Listener[] {
  return [...(topics.listeners.get(id) ?? [])];
}
