import type { Peer } from "../contestant.js";
import { type BullMQ, openBullmq } from "./bullmq.js";
import { load } from "./load.js";

interface BullMQWithPostgres {
  readonly createPostgresBackend: unknown;
  withBackend(backend: unknown): BullMQ;
}

/**
 * BullMQ with its PostgreSQL backend: `addBulk` is one insertion, and that no jobs are kept is an option of the worker, as on
 * Redis. Its events are rows, and there is no setting against them. It hands no results back here: its `QueueEvents` read on from
 * the highest number that they have seen, and miss an event whose transaction took its number earlier and committed later. Of
 * 100 jobs, 25 ms apart, `completed` was heard of 99, and `waitUntilFinished` of the other one never ended.
 */
export const bullmqPostgres: Peer = {
  name: "bullmq-postgres",
  drivers: ["postgres"],
  packages: ["bullmq", "pg"],
  settings:
    "createPostgresBackend, pools of 10, concurrency 100, removeOnComplete and removeOnFail (neither where results are kept), " +
    "no QueueEvents (they miss some)",
  keepsResults: true,
  open: async ({ place, keepResults }) => {
    const { withBackend, createPostgresBackend } = await load<BullMQWithPostgres>("bullmq");
    const connection = { connectionString: place, max: 10, migrate: true };
    const { call: _, ...session } = await openBullmq(withBackend(createPostgresBackend), connection, keepResults);
    return session;
  },
};
