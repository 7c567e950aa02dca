import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type PrivateServer, type Recipe, startServer } from "../server.js";
import { until } from "../until.js";
import { ask } from "./ask.js";
import { answersAs, REDIS, type RedisServer, startRedis } from "./server.js";

const SENTINELS = 3;
const QUORUM = 2;
const CONFIG = "sentinel.conf";
/** What the sentinels call the primary that they watch. */
const NAME = "main";

/** A primary with a replica, and three sentinels of which two must agree that it is down. */
export interface RedisSentinel {
  /** What the sentinels call the primary that they watch. */
  readonly name: string;
  /** Where the sentinels are, such as `127.0.0.1:12345`. */
  readonly addresses: readonly string[];
  /** The sentinels themselves. */
  readonly sentinels: readonly PrivateServer[];
  /** The first primary and its replica. Each can be hurt like any server. */
  readonly nodes: readonly RedisServer[];
  /** The node that all sentinels which answer announce as primary, when it says so itself. Waits while they differ. */
  primary(): Promise<RedisServer>;
  /** Kills the primary with SIGKILL, and answers which that was. */
  killPrimary(): Promise<RedisServer>;
  /** Waits until another node than this is announced: 1 to 4 s after the end of the primary. */
  primaryAfter(former: RedisServer): Promise<RedisServer>;
  /** Ends all processes at once and removes their data. */
  remove(): Promise<void>;
}

/**
 * Starts a primary, its replica and their sentinels, in 2 to 3 s: sentinels greet each other every 2 s. Who starts it removes it.
 *
 * @throws Error when one of them does not start, or they have not found each other after 20 s
 */
export async function startRedisSentinel(): Promise<RedisSentinel> {
  const started: PrivateServer[] = [];
  const remove = () => Promise.all(started.map((server) => server.remove())).then(() => undefined);
  try {
    const first = await startRedis();
    started.push(first);
    const replica = await startRedis({ config: [`replicaof 127.0.0.1 ${first.port}`] });
    started.push(replica);
    await until("the replica is in sync", () => says(replica.ask("INFO replication"), /master_link_status:up/));
    const sentinels = [];
    for (let count = 0; count < SENTINELS; count++) {
      const sentinel = await startServer(sentinelRecipe(first.port));
      started.push(sentinel);
      sentinels.push(sentinel);
    }
    const ports = sentinels.map(({ site }) => site.port);
    await Promise.all(ports.map((port) => until("the sentinels know all", () => knowsAll(port))));
    return { ...overseen([first, replica], ports), sentinels, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

function overseen(
  nodes: readonly RedisServer[],
  ports: readonly number[],
): Omit<RedisSentinel, "sentinels" | "remove"> {
  const primary = () => until("the sentinels announce a primary", () => announced(nodes, ports));
  return {
    name: NAME,
    addresses: ports.map((port) => `127.0.0.1:${port}`),
    nodes,
    primary,
    killPrimary: async () => {
      const former = await primary();
      await former.kill("SIGKILL");
      return former;
    },
    primaryAfter: (former) => {
      const others = nodes.filter((node) => node !== former);
      return until("the sentinels announce another primary", () => announced(others, ports));
    },
  };
}

/** The node whose port all sentinels that answer announce, if it is among these and is a primary. */
async function announced(nodes: readonly RedisServer[], ports: readonly number[]): Promise<RedisServer | undefined> {
  const answers = await Promise.allSettled(
    ports.map((port) => ask({ port }, `SENTINEL get-master-addr-by-name ${NAME}`)),
  );
  const replies = new Set(answers.flatMap((one) => (one.status === "fulfilled" ? [one.value] : [])));
  const [reply] = replies;
  if (replies.size !== 1 || reply === undefined) return undefined;
  const node = nodes.find(({ port }) => reply.includes(`\r\n${port}\r\n`));
  return node && (await says(node.ask("INFO replication"), /role:master/)) ? node : undefined;
}

async function says(reply: Promise<string>, what: RegExp): Promise<true | undefined> {
  return what.test(await reply) ? true : undefined;
}

function knowsAll(port: number): Promise<true | undefined> {
  return says(ask({ port }, "INFO sentinel"), new RegExp(`status=ok,.*slaves=1,sentinels=${SENTINELS}`));
}

function sentinelRecipe(primary: number): Recipe {
  return {
    program: REDIS,
    // It writes into its file what it learns, so a restart finds that there.
    prepare: ({ folder, port }) => writeFile(join(folder, CONFIG), configuration(port, primary)),
    arguments: () => [CONFIG, "--sentinel"],
    url: ({ port }) => `redis://127.0.0.1:${port}`,
    ask: ({ port }, pid) => answersAs(pid, { port }),
  };
}

function configuration(port: number, primary: number): string {
  return `port ${port}
bind 127.0.0.1
sentinel monitor ${NAME} 127.0.0.1 ${primary} ${QUORUM}
sentinel down-after-milliseconds ${NAME} 500
sentinel failover-timeout ${NAME} 3000
`;
}
