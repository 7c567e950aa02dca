import { type Capabilities, DEFAULT_CAPABILITIES } from "../../contracts/capabilities.js";
import type { Driver } from "../../contracts/driver.js";
import { connect } from "./connection.js";
import { type RabbitmqOptions, resolveOptions } from "./options.js";

export type { QueueType, RabbitmqOptions } from "./options.js";

const CAPABILITIES: Capabilities = {
  ...DEFAULT_CAPABILITIES,
  pipelining: true,
  leases: "connection",
  idempotentIds: false,
  cancel: false,
  atomicOutcomes: false,
  inspect: false,
  deadLetters: true,
};

/**
 * Jobs in RabbitMQ 3.8 or later. It keeps no outcomes: set `backend` where results are wanted. It needs
 * `npm install amqplib`.
 *
 * An acknowledged job is on the disk of a node, with quorum queues on those of most.
 *
 * @param options See {@link RabbitmqOptions}; text is the URL.
 * @throws {ConfigError} when an option is wrong.
 *
 * @example
 * import { Taskwright } from "taskwright";
 * import { rabbitmq } from "taskwright/drivers/rabbitmq";
 *
 * const app = new Taskwright({
 *   broker: rabbitmq({ url: "amqp://localhost", queueType: "quorum" }),
 *   backend: "redis://localhost:6379",
 * });
 */
export function rabbitmq(options: RabbitmqOptions | string = {}): Driver {
  const settings = resolveOptions(typeof options === "string" ? { url: options } : options);
  return {
    name: "rabbitmq",
    location: settings.location,
    protocol: settings.protocol,
    capabilities: { ...CAPABILITIES, priority: settings.maxPriority > 0 },
    maxBytes: settings.maxBytes,
    connect: (environment) => connect(settings, environment),
  };
}

/**
 * The rabbitmq driver for a URL, in the form of {@link RabbitmqOptions.url}.
 *
 * @throws {ConfigError} when the URL has another form or another key.
 */
export function fromUrl(url: string, protocol: "taskwright" | "celery" = "taskwright"): Driver {
  return rabbitmq({ url, protocol });
}
