import type { Connection, Driver, DriverEnvironment } from "./contracts/index.js";
import { driverFromUrl } from "./drivers/index.js";
import { type Interceptor, intercept } from "./intercept.js";
import { BrokerError, TaskwrightError } from "./job/errors.js";

/** A driver and its open connection. */
export interface OpenDriver {
  readonly driver: Driver;
  readonly connection: Connection;
}

/** The connections of one app: each place is opened once, however many jobs, workers and calls name it. */
export class Connections {
  readonly #environment: DriverEnvironment;
  readonly #opened = new Map<string | Driver, Promise<OpenDriver>>();

  constructor(environment: DriverEnvironment) {
    this.#environment = environment;
  }

  /** Opens a place, or answers with the open one. A failure is not kept: the next call tries again. */
  open(place: string | Driver): Promise<OpenDriver> {
    const known = this.#opened.get(place);
    if (known !== undefined) return known;
    const opening = this.#open(place);
    this.#opened.set(place, opening);
    opening.catch(() => this.#opened.delete(place));
    return opening;
  }

  async close(): Promise<void> {
    const opened = [...this.#opened.values()];
    this.#opened.clear();
    const settled = await Promise.allSettled(opened);
    const open = settled.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    const closed = await Promise.allSettled(open.map(({ connection }) => connection.close()));
    const errors = closed.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
    if (errors.length > 0) throw new AggregateError(errors, "a connection did not close cleanly");
  }

  async #open(place: string | Driver): Promise<OpenDriver> {
    const driver = typeof place === "string" ? await driverFromUrl(place) : place;
    const connection = await driver.connect(this.#environment);
    return { driver, connection: intercept(driver.name, connection, typedErrors) };
  }
}

/** Whatever a driver throws reaches the core as a TaskwrightError; one it did not expect may have taken effect. */
const typedErrors: Interceptor = async (call, next) => {
  try {
    return await next();
  } catch (error) {
    if (error instanceof TaskwrightError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new BrokerError(`${call.driver} ${call.contract}.${call.method} failed: ${message}`, {
      cause: error,
      outcome: "unknown",
    });
  }
};
