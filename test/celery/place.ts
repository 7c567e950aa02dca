import { Taskwright, type TaskwrightOptions } from "taskwright";
import { rabbitmqPlace } from "../support/rabbitmq/shared.js";
import { type RedisServer, startRedis } from "../support/redis/server.js";
import { PythonClient, type PythonPlace, PythonWorker } from "./python.js";

/** A Redis, a Python client, a Python worker on the queue "celery", and an app of ours that speaks Celery. */
export interface CeleryPlace extends PythonPlace {
  readonly redis: RedisServer;
  /** Of the broker. */
  readonly url: string;
  readonly python: PythonClient;
  readonly worker: PythonWorker;
  readonly app: Taskwright<undefined>;
  /** What an expression in Python is worth, in which `n("add", 1)` is a signature of our task `node.add`, on the queue "node". */
  run(call: string): Promise<unknown>;
  close(): Promise<void>;
}

/** In Python: a function that makes signatures of the tasks that run here. */
const NODE = "(lambda name, *args, **kwargs: remote('node.' + name, *args, **kwargs).set(queue='node'))";

/**
 * Opens all that a test of Node beside Python needs, in about 4 s.
 *
 * @param transport - What the messages go through; results are in Redis either way.
 */
export async function openPlace(
  options: TaskwrightOptions = {},
  transport: "redis" | "rabbitmq" = "redis",
): Promise<CeleryPlace> {
  const redis = await startRedis();
  const backend = `${redis.url}/0`;
  const rabbitmq = transport === "rabbitmq" ? await rabbitmqPlace() : undefined;
  const broker = rabbitmq?.url ?? backend;
  const place = { broker, backend };
  const [python, worker] = await Promise.all([PythonClient.open(place), PythonWorker.open(place, ["-Q", "celery"])]);
  const app = new Taskwright({ protocol: "celery", ...place, worker: { queues: ["node"] }, ...options });
  const run = (call: string): Promise<unknown> => python.eval(`(lambda n: ${call})(${NODE})`);
  const close = async (): Promise<void> => {
    await app.close();
    python.close();
    await worker.kill();
    await rabbitmq?.remove();
    await redis.remove();
  };
  return { ...place, redis, url: broker, python, worker, app, run, close };
}
