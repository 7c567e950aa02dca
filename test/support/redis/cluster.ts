import { until } from "../until.js";
import { type RedisServer, startRedis } from "./server.js";

const MASTERS = 3;
const SLOTS = 16_384;

/** What a cluster of a test's own can differ in. */
export interface RedisClusterOptions {
  /** Whether each of the three masters has a replica, which takes over 1 to 3 s after its master's end. Default: false. */
  readonly replicas?: boolean;
  /** More lines of each node's redis.conf, such as "maxmemory 10mb". */
  readonly config?: readonly string[];
}

/** A cluster of three masters, each with a third of the slots, and their replicas. */
export interface RedisCluster {
  /** The masters in the order of their slots, then their replicas in the same order. Each can be hurt like any server. */
  readonly nodes: readonly RedisServer[];
  /** Where the nodes are, such as `redis://127.0.0.1:12345`, in the order of `nodes`. */
  readonly urls: readonly string[];
  /** The node that serves a key now, as the first node that answers sees it. */
  ownerOf(key: string): Promise<RedisServer>;
  /** Waits until every node that answers serves all slots. */
  ready(): Promise<void>;
  /** Ends all nodes at once and removes their data. */
  remove(): Promise<void>;
}

/**
 * Starts a Redis Cluster, in 2 s: a new master waits 2 s before it serves. Who starts it removes it.
 *
 * @throws Error when a node does not start, or the cluster is not complete after 20 s
 */
export async function startRedisCluster(options: RedisClusterOptions = {}): Promise<RedisCluster> {
  const count = options.replicas ? 2 * MASTERS : MASTERS;
  const config = ["cluster-enabled yes", "cluster-node-timeout 1000", ...(options.config ?? [])];
  const started = await Promise.allSettled(Array.from({ length: count }, () => startRedis({ config })));
  const nodes = started.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const cluster = clusterOf(nodes);
  try {
    for (const one of started) if (one.status === "rejected") throw one.reason;
    await join(nodes);
    await cluster.ready();
    return cluster;
  } catch (error) {
    await cluster.remove();
    throw error;
  }
}

function clusterOf(nodes: readonly RedisServer[]): RedisCluster {
  return {
    nodes,
    urls: nodes.map(({ url }) => url),
    ownerOf: (key) => ownerOf(key, nodes),
    ready: () => until("all slots are served", () => isReady(nodes)).then(() => undefined),
    remove: () => Promise.all(nodes.map((node) => node.remove())).then(() => undefined),
  };
}

/** What `redis-cli --cluster create` does, without its pauses of a second. */
async function join(nodes: readonly RedisServer[]): Promise<void> {
  const masters = nodes.slice(0, MASTERS);
  await Promise.all(
    masters.map(async (master, index) => {
      // Two nodes of one epoch would have to settle which is the older.
      await master.ask(`CLUSTER SET-CONFIG-EPOCH ${index + 1}`);
      await master.ask(`CLUSTER ADDSLOTS ${slotsOf(index).join(" ")}`);
    }),
  );
  const [first, ...others] = nodes;
  for (const { port } of others) await first?.ask(`CLUSTER MEET 127.0.0.1 ${port}`);
  await Promise.all(nodes.slice(MASTERS).map((node, index) => replicate(node, nodes, masters[index])));
}

/** The range is listed, since ADDSLOTSRANGE came with Redis 7. */
function slotsOf(index: number): number[] {
  const from = Math.ceil((index * SLOTS) / MASTERS);
  const to = Math.ceil(((index + 1) * SLOTS) / MASTERS);
  return Array.from({ length: to - from }, (_, offset) => from + offset);
}

/** Waits until the node has heard of its master, and every node of the replica. */
async function replicate(node: RedisServer, nodes: readonly RedisServer[], master?: RedisServer): Promise<void> {
  const id = /[0-9a-f]{40}/.exec((await master?.ask("CLUSTER MYID")) ?? "")?.[0];
  await until("the node follows its master", () => node.ask(`CLUSTER REPLICATE ${id}`));
  const line = new RegExp(`:${node.port}@\\S* (myself,)?slave ${id}`);
  const knows = async (other: RedisServer) => line.test(await other.ask("CLUSTER NODES"));
  await until("all know the replica", async () => ((await every(nodes, knows)) ? true : undefined));
}

/** The others refer to the one that owns the key's slot. */
function ownerOf(key: string, nodes: readonly RedisServer[]): Promise<RedisServer> {
  return until(`a node serves ${key}`, () =>
    Promise.any(nodes.map((node) => node.ask(`EXISTS ${key}`).then(() => node))),
  );
}

async function isReady(nodes: readonly RedisServer[]): Promise<true | undefined> {
  const ready = async (node: RedisServer) => {
    const alive = await node.ask("PING").catch(() => undefined);
    if (alive === undefined) return true;
    const info = (await node.ask("CLUSTER INFO")) + (await node.ask("INFO replication"));
    const complete = /cluster_state:ok/.test(info) && info.includes(`cluster_known_nodes:${nodes.length}\r\n`);
    return complete && (/role:master/.test(info) || /master_link_status:up/.test(info));
  };
  return (await every(nodes, ready)) ? true : undefined;
}

async function every<Item>(items: readonly Item[], holds: (item: Item) => Promise<boolean>): Promise<boolean> {
  return (await Promise.all(items.map(holds))).every(Boolean);
}
