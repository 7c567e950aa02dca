import { type RabbitmqServer, startRabbitmq } from "./server.js";

let server: Promise<RabbitmqServer> | undefined;
let places = 0;

/** An empty virtual host. */
export interface RabbitmqPlace {
  readonly url: string;
  remove(): Promise<void>;
}

/**
 * An empty virtual host on the one RabbitMQ of this process, in 50 ms. The server is started by the first call, in 4 to 6 s,
 * and ends with the process.
 */
export async function rabbitmqPlace(): Promise<RabbitmqPlace> {
  server ??= startRabbitmq();
  const running = await server;
  places += 1;
  const name = `case-${places}`;
  return { url: await running.addVhost(name), remove: () => running.removeVhost(name) };
}
