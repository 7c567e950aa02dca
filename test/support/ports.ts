import { createServer } from "node:net";

/**
 * Ports below those that systems give to outgoing connections (32768 and up on Linux): while a server is down, nobody else's
 * connection can take its port, and a client that tries to reconnect cannot be connected to itself.
 */
const FIRST = 10_000;
/** A node of a Redis Cluster also listens on its port plus 10,000, which must be below them too. */
const LAST = 22_767;

/** A port of 127.0.0.1 on which nobody listened a moment ago. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1));
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}
