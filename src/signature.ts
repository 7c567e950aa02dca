import type { PendingJob } from "./enqueue/pending.js";
import { callOptions } from "./job/call-options.js";
import type { JobOptions, ResolvedOptions } from "./job/options.js";
import type { Sender, TaskDefinition } from "./task.js";

/** A signature as plain data, which another process or another dialect can turn back into a call. */
export interface SignatureData {
  readonly task: string;
  readonly args: readonly unknown[];
  readonly options: Omit<ResolvedOptions, "broker" | "backend" | "protocol" | "tx">;
}

/**
 * A task with arguments and options bound, not yet enqueued. `Missing` are the first arguments, still to be given: by
 * `enqueue`, or by the result of the step before it in a workflow.
 *
 * @example
 * const addThree = add.s(3); // the second argument
 * await addThree.enqueue(2).result(); // 5
 */
export class Signature<Missing extends unknown[], R> {
  readonly #definition: TaskDefinition;
  readonly #args: readonly unknown[];
  readonly #options: ResolvedOptions;
  readonly #sender: () => Sender;

  /** @internal */
  constructor(definition: TaskDefinition, args: readonly unknown[], options: ResolvedOptions, sender: () => Sender) {
    this.#definition = definition;
    this.#args = args;
    this.#options = options;
    this.#sender = sender;
  }

  /** The task's name. */
  get task(): string {
    return this.#definition.name;
  }

  /** Enqueues it; the given arguments come before the bound ones. */
  enqueue(...missing: Missing): PendingJob<R> {
    return this.#sender().enqueue(this.#definition, [...missing, ...this.#args], this.#options);
  }

  /** The same with more options; later ones win, labels merge. */
  with(options: JobOptions): Signature<Missing, R> {
    const merged = callOptions(this.#definition, options, this.#options);
    return new Signature(this.#definition, this.#args, merged, this.#sender);
  }

  /** As data: what a workflow stores, and what another protocol writes in its own form. */
  toData(): SignatureData {
    const { broker: _broker, backend: _backend, protocol: _protocol, tx: _tx, ...options } = this.#options;
    return { task: this.task, args: this.#args, options };
  }
}
