import type { Connection, Driver, DriverEnvironment } from "./contracts/index.js";
import { driverFromUrl } from "./drivers/index.js";
import { type Interceptor, intercept } from "./intercept.js";
import { BrokerError, ConfigError, TaskwrightError } from "./job/errors.js";
import type { Protocol } from "./protocol.js";

/** A driver and its open connection. */
export interface OpenDriver {
  readonly driver: Driver;
  readonly connection: Connection;
}

/** The connections of one app: each place is opened once, however many jobs, workers and calls name it. */
export class Connections {
  readonly #environment: DriverEnvironment;
  readonly #opened: Record<Protocol["name"], Map<string | Driver, Promise<OpenDriver>>> = {
    taskwright: new Map(),
    celery: new Map(),
  };

  constructor(environment: DriverEnvironment) {
    this.#environment = environment;
  }

  /** Opens a place, or answers with the open one. A failure is not kept: the next call tries again. */
  open(place: string | Driver, protocol: Protocol["name"]): Promise<OpenDriver> {
    const opened = this.#opened[protocol];
    const known = opened.get(place);
    if (known !== undefined) return known;
    const opening = this.#open(place, protocol);
    opened.set(place, opening);
    opening.catch(() => opened.delete(place));
    return opening;
  }

  /**
   * The backend of `rpc://`: answers that come back through the broker's own connection.
   *
   * @throws ConfigError where the broker carries none.
   */
  async openReplies({ driver, connection }: OpenDriver): Promise<OpenDriver> {
    const replies = await connection.openReplies?.();
    if (replies === undefined)
      throw new ConfigError(
        `the backend rpc:// needs RabbitMQ as its broker and protocol: "celery": ${driver.name} carries no answers`,
      );
    const { ping, close } = connection;
    return { driver, connection: intercept(driver.name, { ...replies, ping, close }, typedErrors) };
  }

  async close(): Promise<void> {
    const { taskwright, celery } = this.#opened;
    const opened = [...taskwright.values(), ...celery.values()];
    taskwright.clear();
    celery.clear();
    const settled = await Promise.allSettled(opened);
    const open = settled.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    const closed = await Promise.allSettled(open.map(({ connection }) => connection.close()));
    const errors = closed.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
    if (errors.length > 0) throw new AggregateError(errors, "a connection did not close cleanly");
  }

  async #open(place: string | Driver, protocol: Protocol["name"]): Promise<OpenDriver> {
    const driver = typeof place === "string" ? await driverFromUrl(place, protocol) : place;
    requireProtocol(driver, protocol);
    const connection = await driver.connect(this.#environment);
    return { driver, connection: intercept(driver.name, connection, typedErrors) };
  }
}

function requireProtocol({ name, protocol = "taskwright" }: Driver, wanted: Protocol["name"]): void {
  if (protocol === wanted) return;
  throw new ConfigError(
    `the ${name} driver was made for the ${protocol} protocol, and this speaks ${wanted}: make it with protocol: "${wanted}"`,
  );
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
