import { randomBytes } from "node:crypto";
import type { PgClient } from "./client.js";
import type { Database } from "./database.js";

/** How long an echo may take, in ms. From a server on the same machine it takes less than one. */
const PATIENCE = 2000;

/**
 * Does this connection hear what is told on others? Behind PgBouncer in transaction mode `LISTEN` is taken without an error,
 * by whichever session of the server was free, and nothing ever comes of it. So something is told on another connection.
 */
export async function hearsOthers(client: PgClient, database: Database): Promise<boolean> {
  const channel = `taskwright_echo_${randomBytes(8).toString("hex")}`;
  const ask = (text: string) => client.query({ text, query_timeout: database.timeout });
  let hear = (_: unknown): void => {};
  let stopWaiting = (): void => {};
  const heard = new Promise<boolean>((resolve) => {
    hear = (notification) => {
      if ((notification as { channel: string }).channel === channel) resolve(true);
    };
    client.on("notification", hear);
    stopWaiting = database.clock.schedule(() => resolve(false), PATIENCE, true);
  });
  try {
    await ask(`LISTEN ${channel}`);
    await database.query("SELECT pg_notify($1, '')", [channel]);
    const echoed = await heard;
    if (echoed) await ask(`UNLISTEN ${channel}`);
    return echoed;
  } finally {
    stopWaiting();
    client.off("notification", hear);
  }
}
