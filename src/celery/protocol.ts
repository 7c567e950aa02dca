import { hostname } from "node:os";
import type { Settings } from "../config/resolve.js";
import type { ClaimedJob, Clock, Driver, Envelope, OutcomeRecord, OutgoingJob } from "../contracts/index.js";
import { resolveWhen } from "../contracts/index.js";
import { UnsupportedError } from "../job/errors.js";
import type { JobMessage, MessageOptions, OutgoingMessage } from "../job/message.js";
import type { OutcomeFields } from "../job/outcome.js";
import type { AttemptEnd, Before, Companion, Protocol, WorkerView } from "../protocol.js";
import type { Route } from "../route.js";
import type { Services } from "../runtime.js";
import { type AnyTask, DEFINITION } from "../task.js";
import { jsonMessage } from "./announcer.js";
import { builtinTasks } from "./builtins.js";
import type { From } from "./canvas.js";
import { CeleryCompanion, PIDBOX } from "./companion.js";
import { toException, tracebackOf } from "./exception.js";
import { type Fields, malformed } from "./fields.js";
import { afterFailure, afterRevocation, afterSuccess, type Following } from "./follow.js";
import { formatInstant } from "./instant.js";
import { type CeleryMessage, partsOf, readMessage } from "./message.js";
import { writeMessage } from "./outgoing.js";
import { ownHeader, ownHeaders, readOwn } from "./own.js";
import { answerOf, failureRecord, metaBytes, type ResultContext, readOutcome, successRecord } from "./result.js";
import { send } from "./send.js";

/** What the protocol needs of its app. */
export interface CeleryHost extends Services {
  readonly settings: Settings;
  /** What carries the messages. */
  readonly broker: Pick<Driver, "name" | "maxBytes">;
}

const CHORDLESS = "belongs to a chord, which needs `backend` to be the Redis that Celery uses as its result_backend";

/** Celery's `task_default_queue`. */
const DEFAULT_QUEUE = "celery";

/** The Celery protocol: writes version 2, reads 2 and 1; runs canvases as Celery does. */
export function celeryProtocol(host: CeleryHost): Protocol {
  return new CeleryProtocol(host);
}

class CeleryProtocol implements Protocol {
  readonly name = "celery";
  readonly defaultQueue = DEFAULT_QUEUE;
  readonly #host: CeleryHost;
  /** Claimed jobs are read once, and asked about again when they end. */
  readonly #read = new WeakMap<object, CeleryMessage>();
  readonly #worker = `node-${process.pid}@${hostname()}`;
  /** Whether chords can be counted. Nobody asks before there is a worker. */
  #joins: boolean | undefined;
  /** By worker. */
  readonly #companions = new Map<string, CeleryCompanion>();

  constructor(host: CeleryHost) {
    this.#host = host;
  }

  encode(message: OutgoingMessage, replyTo?: string): OutgoingJob {
    const { id, task, queue, priority, args, kwargs = {}, rootId = id, parentId, timeout, result } = message;
    const { clock, settings } = this.#host;
    const now = clock.now();
    return writeMessage({
      id,
      task,
      queue,
      priority,
      args,
      kwargs,
      rootId,
      parentId,
      form: settings.sources.get("codec")?.layer === "default" ? "json" : settings.codec,
      eta: message.notBefore && resolveWhen(message.notBefore, now),
      expires: message.expires && resolveWhen(message.expires, now),
      hardLimit: timeout === undefined ? undefined : timeout / 1000,
      ignoreResult: result?.keep === false,
      replyTo,
      headers: ownHeaders(message, { enqueuedAt: message.enqueuedAt }),
    });
  }

  decode(envelope: Envelope): JobMessage {
    const message = this.#message(envelope);
    if (this.#cannotJoin(message)) throw malformed(CHORDLESS);
    const { task, args, kwargs, retries, eta, expires } = message;
    return {
      task,
      args,
      enqueuedAt: enqueuedAt(message, this.#host.clock),
      options: optionsOf(message, Object.keys(kwargs).length > 0 ? kwargs : undefined),
      earlier: retries,
      ...(eta !== undefined && { notBefore: eta }),
      ...(expires !== undefined && { expiresAt: expires }),
    };
  }

  tasks(route: Route): ReadonlyMap<string, AnyTask> {
    this.#joins = route.backendAt?.connection.joiner !== undefined;
    return builtinTasks(this.#host, route, (id) => this.#sender({ id, rootId: id, form: "json" }));
  }

  completed(fields: OutcomeFields, value: unknown, claimed: ClaimedJob): OutcomeRecord {
    const message = this.#message(claimed);
    const children = afterSuccess(message, value, this.#from(message))?.children ?? [];
    return successRecord(fields, value, { ...this.#context(claimed), children });
  }

  failed(
    fields: OutcomeFields,
    state: "dead" | "cancelled",
    error: unknown,
    _history: readonly unknown[],
    _maxBytes?: number,
    claimed?: ClaimedJob,
  ): OutcomeRecord {
    return failureRecord(fields, state, error, this.#context(claimed));
  }

  readOutcome(kept: OutcomeRecord): ReturnType<Protocol["readOutcome"]> {
    return readOutcome(kept, this.#host.errors);
  }

  /** The same message with one more retry counted, as `self.retry()` sends it. */
  again(claimed: ClaimedJob, delay: number): OutgoingJob | undefined {
    const message = this.#message(claimed);
    const { headers, properties } = partsOf(claimed);
    if (message.protocol === 1) return this.#asVersion2(message, claimed, delay);
    const eta = delay > 0 ? formatInstant(this.#host.clock.now() + delay) : null;
    const counted = { ...headers, retries: message.retries + claimed.attempt, eta };
    const { id, queue, priority, body } = claimed;
    return { id, queue, priority, body, task: message.task, headers: { headers: counted, properties } };
  }

  started(claimed: ClaimedJob, route: Route, worker: string): void {
    this.#companions.get(worker)?.started(this.#message(claimed));
    if (!this.#host.settings.celery.trackStarted || this.#message(claimed).ignoreResult) return;
    const context = this.#context(claimed);
    const meta = { pid: process.pid, hostname: this.#worker };
    const body = metaBytes(claimed.id, "STARTED", meta, null, context);
    this.#mark(claimed, body, route).catch((err: unknown) =>
      this.#host.logger.warn({ err, job: claimed.id }, "the state STARTED could not be written"),
    );
  }

  accompany(worker: WorkerView, route: Route): Companion | undefined {
    const { exchanges } = route.at.connection;
    if (exchanges === undefined || !this.#host.settings.celery.remoteControl) return undefined;
    const closed = (): void => void this.#companions.delete(worker.id);
    const companion = new CeleryCompanion(this.#host, worker, exchanges, closed);
    this.#companions.set(worker.id, companion);
    return companion;
  }

  before(claimed: ClaimedJob, end: AttemptEnd, route: Route): Before | undefined {
    const message = this.#readable(claimed);
    if (message === undefined || this.#cannotJoin(message)) return undefined;
    const { error } = end.kind === "completed" ? { error: undefined } : end;
    if (end.kind === "retry") {
      if (message.ignoreResult) return undefined;
      const body = metaBytes(claimed.id, "RETRY", toException(error), tracebackOf(error), this.#context(claimed));
      return () => this.#mark(claimed, body, route);
    }
    const from = this.#from(message);
    const { ttl } = this.#host.settings.defaults.result;
    const following =
      end.kind === "completed" ? afterSuccess(message, end.value, from) : this.#lost(message, end, from);
    return following && (() => send(following, from, route, ttl));
  }

  /** A job that has failed ends as such, whatever is wrong with what should follow. */
  #lost(message: CeleryMessage, end: Extract<AttemptEnd, { error: unknown }>, from: From): Following | undefined {
    const { ttl } = this.#host.settings.defaults.result;
    try {
      if (end.kind === "cancelled") return afterRevocation(message, end.error, from);
      return afterFailure(message, end.error, from, ttl);
    } catch (err) {
      this.#host.logger.error({ err, job: message.id }, "what follows a failed Celery task cannot be sent");
      return undefined;
    }
  }

  /** Asks all workers that live: nobody can look for a job in Celery's queues. */
  async cancel(id: string, { at }: Route): Promise<"requested"> {
    const { exchanges } = at.connection;
    if (exchanges === undefined) throw new UnsupportedError(`${at.driver.name} carries no remote control of Celery's`);
    const arguments_ = { task_id: id, terminate: true, signal: "SIGTERM" };
    const command = { method: "revoke", arguments: arguments_, destination: null, pattern: null, matcher: null };
    await exchanges.announce(PIDBOX, "", jsonMessage(command, { clock: 1, expires: 0 }));
    return "requested";
  }

  async #mark(claimed: ClaimedJob, body: Uint8Array, { backend }: Route): Promise<void> {
    const { defaults, celery } = this.#host.settings;
    const { ttl } = defaults.result;
    const answer = answerOf(this.#message(claimed), celery.resultPersistent);
    await backend?.mark?.([{ id: claimed.id, body, ...(ttl !== undefined && { ttl }), ...(answer && { answer }) }]);
  }

  /** A message of protocol 1 goes on as one of protocol 2. */
  #asVersion2(message: CeleryMessage, claimed: ClaimedJob, delay: number): OutgoingJob {
    const { now, form } = this.#from(message);
    const { callbacks, errbacks, chain, chord } = message;
    return writeMessage({
      ...message,
      queue: claimed.queue,
      priority: claimed.priority,
      form,
      retries: message.retries + claimed.attempt,
      eta: delay > 0 ? now + delay : undefined,
      callbacks: callbacks.map(({ signature }) => signature),
      errbacks: errbacks.map(({ signature }) => signature),
      chain: chain.map(({ signature }) => signature),
      chord: chord?.signature,
      headers: {},
    });
  }

  #message(envelope: Envelope): CeleryMessage {
    let message = this.#read.get(envelope);
    if (message === undefined) {
      message = readMessage(envelope, this.#host.broker.maxBytes);
      this.#read.set(envelope, message);
    }
    return message;
  }

  #cannotJoin({ chord }: CeleryMessage): boolean {
    return chord !== undefined && this.#joins === false;
  }

  /** Nothing where it cannot be read, which is why it ends. */
  #readable(claimed: Envelope): CeleryMessage | undefined {
    try {
      return this.#message(claimed);
    } catch {
      return undefined;
    }
  }

  #context(claimed: ClaimedJob | undefined): ResultContext {
    const now = this.#host.clock.now();
    if (claimed === undefined) return { now };
    const extended = this.#host.settings.celery.resultExtended
      ? { queue: claimed.queue, worker: this.#worker }
      : undefined;
    return { now, message: this.#readable(claimed), extended, persistent: this.#host.settings.celery.resultPersistent };
  }

  #from({ id, rootId, properties }: CeleryMessage): From {
    const form = properties.content_type === "application/x-msgpack" ? "msgpack" : "json";
    return this.#sender({ id, rootId, form });
  }

  #sender(who: Pick<From, "id" | "rootId" | "form">): From {
    const { clock, tasks, settings } = this.#host;
    const usual = settings.sources.get("defaults.queue")?.layer === "default" ? DEFAULT_QUEUE : settings.defaults.queue;
    return {
      ...who,
      now: clock.now(),
      queueOf: (task) => tasks.get(task)?.[DEFINITION].options.queue ?? usual,
    };
  }
}

function enqueuedAt({ headers }: CeleryMessage, clock: Clock): number {
  const { enqueuedAt: time } = ownHeader(headers);
  return typeof time === "number" && Number.isFinite(time) ? time : clock.now();
}

/** The options that travel with a message. */
function optionsOf(message: CeleryMessage, kwargs: Fields | undefined): MessageOptions {
  const { parentId, rootId, hardLimit, softLimit, ignoreResult, headers } = message;
  const { result, ...own } = readOwn(headers);
  const limits = [hardLimit, softLimit].filter((limit) => limit !== undefined);
  const options: MessageOptions = { rootId, ...own };
  if (kwargs !== undefined) options.kwargs = kwargs;
  if (parentId !== undefined) options.parentId = parentId;
  if (limits.length > 0) options.timeout = Math.min(...limits) * 1000;
  options.result = { ...(ignoreResult && { keep: false }), ...result };
  return options;
}
