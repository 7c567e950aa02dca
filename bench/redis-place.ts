import { versionOf } from "../test/support/programs.js";
import { REDIS, startRedis } from "../test/support/redis/server.js";
import type { Place } from "./drivers.js";

/** What is said of the servers to the reader. */
export async function describeRedis(): Promise<string> {
  return `${await versionOf(REDIS)}: save "", appendonly no, for every measure of every contestant a fresh one`;
}

/** A server with nothing in it, which writes nothing to disk. It ends with this process at the latest. */
export async function freshRedis(): Promise<Place> {
  const server = await startRedis({ config: ["appendonly no"] });
  const usedMemory = async (): Promise<number> => {
    const used = /used_memory:(\d+)/.exec(await server.ask("INFO memory"))?.[1];
    if (used === undefined) throw new Error(`${server.version} does not say how much memory it uses`);
    return Number(used);
  };
  const atStart = await usedMemory();
  return {
    address: server.url,
    oneProcess: false,
    bytes: async () => (await usedMemory()) - atStart,
    remove: () => server.remove(),
  };
}
