import { mkdtemp, rm, stat } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atOnce } from "./measures/at-once.js";
import { backlog, delayedBacklog } from "./measures/backlog.js";
import { bulk } from "./measures/bulk.js";
import { enqueue } from "./measures/enqueue.js";
import { latency } from "./measures/latency.js";
import type { Trial } from "./measures/measure.js";
import { payload } from "./measures/payload.js";
import { pinnedHorizon } from "./measures/pinned-horizon.js";
import { settling } from "./measures/settling.js";
import { wholeWay } from "./measures/whole-way.js";
import { work } from "./measures/work.js";
import { workers } from "./measures/workers.js";
import { describeMysql, freshMysql } from "./mysql-place.js";
import { describePostgres, freshPostgres } from "./postgres-place.js";
import { describeRabbitmq, freshRabbitmq } from "./rabbitmq-place.js";
import { describeRedis, freshRedis } from "./redis-place.js";

/** What a database counts. */
export interface DatabaseWork {
  /** Inserted, updated or deleted. */
  readonly rows: number;
  /** Bytes of its log. */
  readonly wal: number;
  readonly commits: number;
}

/** A fresh, empty place for jobs. */
export interface Place {
  /** Of the place itself: a file, or a URL. */
  readonly address: string;
  /** It exists in the memory of one process only. */
  readonly oneProcess: boolean;
  /** How large it is, in bytes. Absent: it is part of the process that uses it. */
  bytes?(): Promise<number>;
  /** What its database has done since it was made. Absent: it does not say. */
  work?(): Promise<DatabaseWork>;
  /** Opens a transaction that sees everything as it is now, and answers how to end it. Absent: there are none. */
  pin?(): Promise<() => Promise<void>>;
  remove(): Promise<void>;
}

/** Our own figures with other settings, without a peer. */
export interface Variant {
  /** The end of the names of its measures, as in `enqueue-full`. */
  readonly name: string;
  /** For the reader. */
  readonly settings: string;
  /** The broker URL for a place. */
  readonly broker: (address: string) => string;
}

/** A driver, and what is measured of it. */
export interface BenchedDriver {
  readonly name: string;
  /** How many jobs, unless `--jobs` says. */
  readonly jobs: number;
  readonly trials: readonly Trial[];
  /** Others, which take long, and are run where `--measure` names them. */
  readonly onRequest: readonly Trial[];
  /** How ours is set up beside a peer. */
  readonly standard: Omit<Variant, "name">;
  readonly variants: readonly Variant[];
  /** The server that both sides use, and how it is set up, for the reader. */
  describeServer?(): Promise<string>;
  fresh(): Promise<Place>;
}

/** The measures of drivers that processes share. */
const SHARED_TRIALS = [enqueue, bulk, settling(false), settling(true), latency];

/** More processes, larger bodies, more in front: on request, of servers that processes share. */
const LOADS = [workers(2), workers(4), payload("100b"), payload("10kb"), payload("500kb"), backlog];

const memory: BenchedDriver = {
  name: "memory",
  jobs: 200_000,
  trials: [
    ...SHARED_TRIALS,
    wholeWay("single", false),
    wholeWay("bulk", false),
    wholeWay("bulk", true),
    wholeWay("steady", false),
  ],
  onRequest: [],
  standard: { settings: "producer and worker in one process", broker: () => "memory:" },
  variants: [],
  fresh: async () => ({ address: "memory:", oneProcess: true, remove: async () => {} }),
};

const sqlite: BenchedDriver = {
  name: "sqlite",
  jobs: 20_000,
  trials: SHARED_TRIALS,
  onRequest: [],
  standard: {
    settings: "better-sqlite3, WAL, synchronous=NORMAL (default FULL), concurrency 100",
    broker: file("client=better-sqlite3&synchronous=NORMAL"),
  },
  variants: [
    { name: "full", settings: "better-sqlite3, synchronous=FULL", broker: file("client=better-sqlite3") },
    { name: "libsql", settings: "libsql, synchronous=NORMAL", broker: file("client=libsql&synchronous=NORMAL") },
    ...(!isBuiltin("node:sqlite")
      ? []
      : [
          {
            name: "node-sqlite",
            settings: "node:sqlite, synchronous=NORMAL",
            broker: file("client=node:sqlite&synchronous=NORMAL"),
          },
        ]),
  ],
  fresh: freshFile,
};

const redis: BenchedDriver = {
  name: "redis",
  jobs: 100_000,
  trials: SHARED_TRIALS,
  onRequest: LOADS,
  standard: { settings: "concurrency 100", broker: (address) => `${address}/0` },
  variants: [],
  describeServer: describeRedis,
  fresh: freshRedis,
};

const postgres: BenchedDriver = {
  name: "postgres",
  jobs: 20_000,
  trials: SHARED_TRIALS,
  onRequest: [work, ...LOADS, delayedBacklog, pinnedHorizon],
  standard: { settings: "concurrency 100", broker: (address) => address },
  variants: [],
  describeServer: describePostgres,
  fresh: freshPostgres,
};

const mysql: BenchedDriver = {
  name: "mysql",
  jobs: 20_000,
  trials: SHARED_TRIALS,
  onRequest: [work, ...LOADS, delayedBacklog, pinnedHorizon],
  standard: { settings: "concurrency 100, pool of 10 connections", broker: (address) => address },
  variants: [],
  describeServer: describeMysql,
  fresh: freshMysql,
};

/** It keeps no results, so none are measured. */
const rabbitmq: BenchedDriver = {
  name: "rabbitmq",
  jobs: 50_000,
  trials: [enqueue, atOnce, bulk, settling(false)],
  onRequest: [workers(2), payload("10kb")],
  standard: { settings: "classic queue with priorities, confirms, concurrency 100", broker: (address) => address },
  variants: [
    { name: "plain", settings: "the same without priorities", broker: (address) => `${address}?maxPriority=0` },
    { name: "quorum", settings: "quorum queue", broker: (address) => `${address}?queueType=quorum` },
  ],
  describeServer: describeRabbitmq,
  fresh: freshRabbitmq,
};

export const BENCHED_DRIVERS: readonly BenchedDriver[] = [memory, sqlite, redis, postgres, mysql, rabbitmq];

function file(query: string): Variant["broker"] {
  return (path) => `sqlite:${path}?${query}`;
}

/** A path in a folder of its own, in the system's folder for temporary files. */
async function freshFile(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), "taskwright-bench-"));
  const address = join(folder, "jobs.db");
  return {
    address,
    oneProcess: false,
    bytes: async () => (await stat(address)).size,
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
