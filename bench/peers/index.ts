import type { Peer } from "../contestant.js";
import { amqplib, amqplibPriorities } from "./amqplib.js";
import { beeQueue } from "./bee-queue.js";
import { bullmq } from "./bullmq.js";
import { bullmqPostgres } from "./bullmq-postgres.js";
import { celery } from "./celery.js";
import { graphileWorker } from "./graphile-worker.js";
import { pgBoss } from "./pg-boss.js";
import { plainjob } from "./plainjob.js";
import { redisCeiling } from "./redis-ceiling.js";

/** All peers. One more is one more file and one more line here, and its packages in `bench/package.json`. */
export const PEERS: readonly Peer[] = [
  plainjob,
  bullmq,
  beeQueue,
  redisCeiling,
  graphileWorker,
  pgBoss,
  bullmqPostgres,
  amqplib,
  amqplibPriorities,
  celery,
];
