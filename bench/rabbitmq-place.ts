import { rabbitmqVersion, startRabbitmq } from "../test/support/rabbitmq/server.js";
import type { Place } from "./drivers.js";

type Server = Awaited<ReturnType<typeof startRabbitmq>>;

let server: Promise<Server> | undefined;
let places = 0;

/** What is said of the server to the reader. */
export async function describeRabbitmq(): Promise<string> {
  return `${await rabbitmqVersion()}: one node, for every measure of every contestant a fresh virtual host`;
}

/** A virtual host with nothing in it. The server is started once, since it takes 5 s, and ends with this process. */
export async function freshRabbitmq(): Promise<Place> {
  server ??= startRabbitmq();
  const running = await server;
  places += 1;
  const name = `bench-${places}`;
  const memory = async () => Number(await running.evaluate("erlang:memory(total)"));
  const address = await running.addVhost(name);
  const atStart = await memory();
  return {
    address,
    oneProcess: false,
    bytes: async () => (await memory()) - atStart,
    remove: () => running.removeVhost(name),
  };
}
