import { type Clock, type Coordinator, type Logger, type ResultBackend, resolveWhen } from "../contracts/index.js";
import { BrokerError, TaskwrightError } from "../job/errors.js";
import type { Publishing } from "./publishing.js";

/** How long an id is held for a job on its way, in ms: drivers wait 10 s for a connection, and 10 s more for an answer. */
const ON_ITS_WAY = 20_000;
/** How long an id stays taken once its job has been published, in ms, from when the job is due. */
const TAKEN = 86_400_000;
/** The pauses between two looks at an id that another enqueue holds, in ms. */
const SHORTEST_PAUSE = 5;
const LONGEST_PAUSE = 500;

/** Where claims stand in the coordinator. */
const PREFIX = "id:";
const PENDING = Uint8Array.of(0);
const PUBLISHED = Uint8Array.of(1);

export interface IdClaimsOptions {
  readonly coordinator: Coordinator;
  readonly backend: ResultBackend | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Publishes a job with an id that is no longer looked for. */
  readonly publish: (item: Publishing) => void;
}

/**
 * Makes ids of the caller's own unique where the broker cannot look for a job: each is claimed in the coordinator before its
 * job is published. Nobody is told of a duplicate before the broker has the job, so who finds an id on its way waits for what
 * becomes of it.
 *
 * A publish that certainly failed gives its id back. One without an answer leaves it to run out: the job may be there, and
 * may not, and to call the next try a duplicate would lose it.
 */
export class IdClaims {
  readonly #options: IdClaimsOptions;

  constructor(options: IdClaimsOptions) {
    this.#options = options;
  }

  async publish(item: Publishing): Promise<void> {
    const { clock, publish } = this.#options;
    const { unique: _, ...job } = item.job;
    try {
      if (!(await this.#claim(job.id))) return item.published("duplicate");
    } catch (error) {
      return item.failed(error);
    }
    const since = clock.now();
    publish({
      job,
      broadcast: false,
      published: (status) => void this.#published(item).then(() => item.published(status)),
      failed: (error) => void this.#failed(job.id, since, error).then(() => item.failed(error)),
    });
  }

  /** Lets an id go whose outcome was forgotten. */
  async forget(id: string): Promise<void> {
    await this.#options.coordinator.remove(PREFIX + id);
  }

  /** Answers false where a job with this id, or its outcome, is there. */
  async #claim(id: string): Promise<boolean> {
    const { coordinator, clock } = this.#options;
    const key = PREFIX + id;
    const end = clock.now() + ON_ITS_WAY + LONGEST_PAUSE;
    for (let pause = SHORTEST_PAUSE; ; pause = Math.min(LONGEST_PAUSE, 2 * pause)) {
      const isMine = await coordinator.put(key, PENDING, { ifVersion: 0, ttl: ON_ITS_WAY });
      const found = isMine ? undefined : await coordinator.get(key);
      if (found?.value[0] === PUBLISHED[0]) return false;
      if (await this.#hasEnded(id)) {
        if (isMine) await coordinator.remove(key);
        return false;
      }
      if (isMine) return true;
      if (clock.now() >= end) throw onItsWay(id);
      await new Promise<void>((resolve) => clock.schedule(resolve, pause, true));
    }
  }

  async #hasEnded(id: string): Promise<boolean> {
    const [outcome] = (await this.#options.backend?.read([id])) ?? [];
    return outcome !== undefined;
  }

  /** The job is there whatever becomes of its claim. */
  async #published({ job }: Publishing): Promise<void> {
    const { coordinator, clock, logger } = this.#options;
    const now = clock.now();
    const delay = job.notBefore === undefined ? 0 : Math.max(0, resolveWhen(job.notBefore, now) - now);
    try {
      await coordinator.put(PREFIX + job.id, PUBLISHED, { ttl: delay + TAKEN });
    } catch (error) {
      logger.warn({ err: error, job: job.id }, "the id of a job could not be kept: it is free again in a moment");
    }
  }

  async #failed(id: string, since: number, error: unknown): Promise<void> {
    const { coordinator, clock, logger } = this.#options;
    const mayBeThere = !(error instanceof TaskwrightError && error.outcome === "none");
    // After that time the id may be another's.
    if (mayBeThere || clock.now() - since >= ON_ITS_WAY) return;
    try {
      await coordinator.remove(PREFIX + id);
    } catch (cause) {
      logger.debug({ err: cause, job: id }, "the id of a job that was not published could not be given back");
    }
  }
}

function onItsWay(id: string): BrokerError {
  return new BrokerError(`another enqueue with the id "${id}" has been under way for ${ON_ITS_WAY / 1000} s`);
}
