import { unknownKey } from "../config/nearest.js";
import type { Logger } from "../contracts/index.js";
import { ConfigError } from "../job/errors.js";
import type { OutgoingMessage } from "../job/message.js";
import { after, type MaybePromise } from "../settled.js";
import type { Decision, ExecutingJob, HandlerOutcome, Middleware, SavedOutcome } from "./middleware.js";

const HOOKS = ["preSend", "postSend", "preExecute", "postExecute", "onError", "postSave"] as const;

/** All middleware of an app. Without any, each hook costs a length check. */
export class MiddlewareStack {
  readonly #layers: Middleware[] = [];
  readonly #logger: () => Logger;

  constructor(logger: () => Logger) {
    this.#logger = logger;
  }

  /** Adds a layer. Throws ConfigError for a hook that does not exist. */
  add(middleware: Middleware): void {
    for (const key of Object.keys(middleware)) {
      const known = (HOOKS as readonly string[]).includes(key) || typeof Reflect.get(middleware, key) !== "function";
      if (!known) throw new ConfigError(unknownKey("middleware hook", key, HOOKS));
    }
    this.#layers.push(middleware);
  }

  /** Whether there is nobody to call. */
  get isEmpty(): boolean {
    return this.#layers.length === 0;
  }

  preSend(message: OutgoingMessage): MaybePromise<OutgoingMessage> {
    if (this.isEmpty) return message;
    return this.#layers.reduce<MaybePromise<OutgoingMessage>>((current, layer) => {
      if (layer.preSend === undefined) return current;
      return after(current, (given) => after(layer.preSend?.(given), (changed) => changed ?? given));
    }, message);
  }

  preExecute(job: ExecutingJob): MaybePromise<void> {
    if (this.isEmpty) return;
    return this.#layers.reduce<MaybePromise<void>>((done, layer) => {
      if (layer.preExecute === undefined) return done;
      return after(done, () => layer.preExecute?.(job));
    }, undefined);
  }

  postSend(message: OutgoingMessage): MaybePromise<void> {
    if (this.isEmpty) return;
    return this.#outward("postSend", (layer) => layer.postSend?.(message));
  }

  postExecute(job: ExecutingJob, outcome: HandlerOutcome): MaybePromise<void> {
    if (this.isEmpty) return;
    return this.#outward("postExecute", (layer) => layer.postExecute?.(job, outcome));
  }

  postSave(job: ExecutingJob, outcome: SavedOutcome): MaybePromise<void> {
    if (this.isEmpty) return;
    return this.#outward("postSave", (layer) => layer.postSave?.(job, outcome));
  }

  /** The decision of the outermost layer that made one. */
  onError(job: ExecutingJob, error: unknown): MaybePromise<Decision | undefined> {
    let decision: Decision | undefined;
    const done = this.#outward("onError", (layer) =>
      after(layer.onError?.(job, error), (made) => {
        if (made !== undefined) decision = made as Decision;
      }),
    );
    return after(done, () => decision);
  }

  /** Calls a hook from the innermost layer to the outermost; one that throws is logged, and the next one still runs. */
  #outward(hook: keyof Middleware, call: (layer: Middleware) => MaybePromise<void>): MaybePromise<void> {
    return this.#layers.reduceRight<MaybePromise<void>>((done, layer) => {
      if (layer[hook] === undefined) return done;
      return after(done, () => this.#guarded(hook, () => call(layer)));
    }, undefined);
  }

  #guarded(hook: keyof Middleware, call: () => MaybePromise<void>): MaybePromise<void> {
    const report = (error: unknown) => this.#logger().error({ err: error, hook }, `the middleware hook ${hook} threw`);
    try {
      const done = call();
      return done instanceof Promise ? done.catch(report) : done;
    } catch (error) {
      report(error);
    }
  }
}
