import type { Clock, Random } from "../contracts/clock.js";
import type { Driver } from "../contracts/driver.js";
import { type DriverCall, intercept } from "../intercept.js";
import { type Duration, parseDuration } from "../job/duration.js";
import { BrokerError, ConfigError } from "../job/errors.js";
import { seededRandom } from "./random.js";

/**
 * What can go wrong with a call of a driver:
 * - `"fail-before"`: it never arrived. A retryable `BrokerError` with `outcome: "none"`.
 * - `"fail-after"`: it took effect, and its answer was lost. A retryable `BrokerError` with `outcome: "unknown"`.
 * - `"delay"`: it arrives late.
 * - `"duplicate"`: it arrives twice, and the second answer is the one that counts, as when a client repeats by itself.
 */
export type Fault = "fail-before" | "fail-after" | "delay" | "duplicate";

const FAULTS: readonly Fault[] = ["fail-before", "fail-after", "delay", "duplicate"];

/** Which calls suffer which fault, and how often. */
export interface FaultRule {
  readonly fault: Fault;
  /** Such as `"broker.publish"`, `"consumer.*"`, `"backend.store"`, `"*"`. Default: every call. */
  readonly on?: string;
  /** The share of calls, from 0 to 1. Default 1. */
  readonly rate?: number;
  /** The fault happens at most so many times. Default: no limit. */
  readonly times?: number;
  /** For `"delay"`: the longest one; each is drawn between nothing and this. Default `"20ms"`. */
  readonly delay?: Duration;
}

/** What goes wrong, and the chance behind it. */
export interface FaultOptions {
  /** Decides which calls suffer. The same seed and the same order of calls give the same faults. */
  readonly seed: number;
  /** Tried in their order for each call; the first one whose turn it is counts. */
  readonly rules: readonly FaultRule[];
}

/** A fault that happened. */
export interface InjectedFault {
  readonly fault: Fault;
  /** Such as `"broker.publish"`. */
  readonly call: string;
}

/** A driver whose calls go wrong now and then. */
export interface FaultyDriver extends Driver {
  /** What has gone wrong so far, oldest first. */
  readonly injected: readonly InjectedFault[];
}

/**
 * Wraps a driver so that its calls fail, are late or arrive twice, to see whether an application, or taskwright, gets
 * over it. Connecting, closing and `ping` are left alone.
 *
 * @param driver - The driver to wrap.
 * @param options - See {@link FaultOptions}.
 * @throws ConfigError for a rule that cannot be
 * @example
 * import { Taskwright } from "taskwright";
 * import { sqlite } from "taskwright/drivers/sqlite";
 * import { withFaults } from "taskwright/testing";
 *
 * const broker = withFaults(sqlite("./test.db"), {
 *   seed: 42,
 *   rules: [
 *     { fault: "fail-after", on: "broker.publish", rate: 0.1 },
 *     { fault: "delay", on: "consumer.*", rate: 0.2, delay: "50ms" },
 *   ],
 * });
 * const app = new Taskwright({ broker });
 */
export function withFaults(driver: Driver, { seed, rules }: FaultOptions): FaultyDriver {
  const random = seededRandom(seed);
  const turns = rules.map((rule) => new Turns(rule, random));
  const injected: InjectedFault[] = [];
  return {
    ...driver,
    injected,
    async connect(environment) {
      const connection = await driver.connect(environment);
      return intercept(driver.name, connection, (call, next) => {
        const name = `${call.contract}.${call.method}`;
        const turn = turns.find((one) => one.take(name));
        if (turn === undefined) return next();
        injected.push({ fault: turn.fault, call: name });
        return suffer(turn, call, next, environment.clock);
      });
    },
  };
}

/** A rule and how often it has come true. */
class Turns {
  readonly fault: Fault;
  readonly #matches: (name: string) => boolean;
  readonly #rate: number;
  readonly #longest: number;
  readonly #random: Random;
  #left: number;

  constructor(
    { fault, on = "*", rate = 1, times = Number.POSITIVE_INFINITY, delay = "20ms" }: FaultRule,
    random: Random,
  ) {
    if (!FAULTS.includes(fault)) throw new ConfigError(`there is no fault "${fault}": it is ${FAULTS.join(", ")}`);
    if (!(rate >= 0 && rate <= 1)) throw new ConfigError(`the rate of a fault is a share from 0 to 1, not ${rate}`);
    this.fault = fault;
    this.#matches = matcher(on);
    this.#rate = rate;
    this.#left = times;
    this.#longest = parseDuration(delay, "the delay of a fault");
    this.#random = random;
  }

  /** Whether the call has to suffer. Chance is asked for matching calls only. */
  take(name: string): boolean {
    if (this.#left <= 0 || !this.#matches(name) || this.#random() >= this.#rate) return false;
    this.#left -= 1;
    return true;
  }

  delay(): number {
    return this.#random() * this.#longest;
  }
}

function matcher(on: string): (name: string) => boolean {
  if (on === "*") return () => true;
  if (on.endsWith(".*")) return (name) => name.startsWith(on.slice(0, -1));
  if (!on.includes(".")) throw new ConfigError(`a fault is on "contract.method", "contract.*" or "*", not on "${on}"`);
  return (name) => name === on;
}

async function suffer(turn: Turns, call: DriverCall, next: () => Promise<unknown>, clock: Clock): Promise<unknown> {
  const name = `${call.contract}.${call.method}`;
  switch (turn.fault) {
    case "fail-before":
      throw new BrokerError(`injected fault: ${name} never arrived`);
    case "fail-after":
      await next();
      throw new BrokerError(`injected fault: the answer of ${name} was lost`, { outcome: "unknown" });
    case "delay":
      await new Promise<void>((resolve) => clock.schedule(resolve, turn.delay(), true));
      return next();
    case "duplicate":
      await next();
      return next();
  }
}
