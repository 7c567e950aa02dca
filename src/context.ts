import { ConfigError } from "./job/errors.js";
import { type MaybePromise, takeAll } from "./settled.js";

/** What the context's factory gets: a place to say what is to be closed again. */
export interface ContextScope {
  /** Called when the app closes, in reverse order. */
  onClose(dispose: () => unknown): void;
}

/** Makes what an app's tasks share, such as connection pools. */
export type ContextFactory<Context> = (scope: ContextScope) => MaybePromise<Context>;

/** The shared context of one process: opened once, on first need, and closed with its app. */
export class ContextHolder<Context> {
  readonly #factory: ContextFactory<Context> | undefined;
  #opening: Promise<Context> | undefined;
  #value: { readonly context: Context } | undefined;
  #disposals: (() => unknown)[] = [];

  constructor(factory: ContextFactory<Context> | undefined) {
    this.#factory = factory;
  }

  /** Opens it, or answers with the open one. If the factory fails, what it had registered is closed, and so is this try. */
  open(): Promise<Context> {
    this.#opening ??= this.#open().catch(async (error: unknown) => {
      this.#opening = undefined;
      // Why the factory failed is what its caller has to know, whatever fails after it.
      await this.close().catch(() => undefined);
      throw error;
    });
    return this.#opening;
  }

  /** @throws ConfigError before it is open. */
  get value(): Context {
    if (this.#value !== undefined) return this.#value.context;
    if (this.#factory === undefined) return undefined as Context;
    throw new ConfigError(
      "the app's context is not open yet: a worker opens it at start; elsewhere, await app.openContext()",
    );
  }

  async close(): Promise<void> {
    await this.#opening?.catch(() => undefined);
    const disposals = this.#disposals.reverse();
    this.#disposals = [];
    this.#opening = undefined;
    this.#value = undefined;
    const errors = await takeAll(disposals);
    if (errors.length > 0) throw new AggregateError(errors, "the app's context did not close cleanly");
  }

  async #open(): Promise<Context> {
    const context = (await this.#factory?.({ onClose: (dispose) => this.#disposals.push(dispose) })) as Context;
    this.#value = { context };
    return context;
  }
}
