import { Taskwright, type TaskwrightOptions } from "taskwright";
import { type RedisServer, startRedis } from "../support/redis/server.js";
import { PythonClient, PythonWorker } from "./python.js";

/** A Redis, a Python client, a Python worker on the queue "celery", and an app of ours that speaks Celery. */
export interface CeleryPlace {
  readonly redis: RedisServer;
  readonly url: string;
  readonly python: PythonClient;
  readonly worker: PythonWorker;
  readonly app: Taskwright<undefined>;
  /** A Python worker killed or started by a test is not this one. */
  close(): Promise<void>;
}

/** Opens all that a test of Node beside Python needs, in about 4 s. */
export async function openPlace(options: TaskwrightOptions = {}): Promise<CeleryPlace> {
  const redis = await startRedis();
  const url = `${redis.url}/0`;
  const [python, worker] = await Promise.all([
    PythonClient.open({ broker: url }),
    PythonWorker.open({ broker: url }, ["-Q", "celery"]),
  ]);
  const app = new Taskwright({ protocol: "celery", broker: url, worker: { queues: ["node"] }, ...options });
  const close = async (): Promise<void> => {
    await app.close();
    python.close();
    await worker.kill();
    await redis.remove();
  };
  return { redis, url, python, worker, app, close };
}
