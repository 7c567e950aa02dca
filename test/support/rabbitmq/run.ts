import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { temporaryFolder } from "../temporary.js";
import { type RabbitmqServer, startRabbitmq } from "./server.js";

declare module "vitest" {
  interface ProvidedContext {
    /** The socket at which test files ask for the port of the RabbitMQ that they share. */
    rabbitmq: string;
  }
}

/**
 * One RabbitMQ for a run of tests, if any file asks for it: each has virtual hosts of its own in it. Some twenty files do, and
 * to start a node for each took 5 to 12 s of both cores.
 */
export default async function run(project: TestProject): Promise<() => Promise<void>> {
  const folder = await temporaryFolder();
  const path = join(folder.path, "rabbitmq");
  let server: Promise<RabbitmqServer> | undefined;
  const door = createServer((socket) => {
    socket.on("error", () => {});
    server ??= startRabbitmq();
    server.then(
      ({ port }) => socket.end(String(port)),
      (error: unknown) => socket.end(String(error)),
    );
  });
  await once(door.listen(path), "listening");
  project.provide("rabbitmq", path);
  return async () => {
    door.close();
    // That it did not start was told to those who asked for it.
    await server?.then(
      (running) => running.remove(),
      () => {},
    );
    await folder.remove();
  };
}
