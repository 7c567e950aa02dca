import { randomBytes } from "node:crypto";
import { Taskwright } from "taskwright";
import { expect, onTestFinished } from "vitest";
import { deferred, RecordingLogger } from "../core/support.js";
import { until } from "../support/until.js";

/** Jobs of one call. */
const BATCH = 20;

/** A database on a disk that a test can fill. */
interface SmallDisk {
  readonly broker: string;
  /** How long what is kept is. */
  readonly bytes: number;
  /** A result of that length finds no space while the disk is full. */
  readonly stopsResults: boolean;
  /** Writes until there is no space. */
  fill(): Promise<void>;
  free(): Promise<void>;
}

/** What a worker and a producer do while the disk of their database is full, and then when it is not any more. */
export async function meetFullDisk({ broker, bytes, stopsResults, fill, free }: SmallDisk): Promise<void> {
  const logger = new RecordingLogger();
  const app = new Taskwright({ broker, logger });
  onTestFinished(() => app.close());
  const [started, goOn] = [deferred(), deferred()];
  onTestFinished(() => goOn.resolve());
  const ran: number[] = [];
  const note = app.task("note", (n: number, _: string) => void ran.push(n));
  const hold = app.task("hold", async () => {
    started.resolve();
    await goOn.promise;
    return incompressible(bytes);
  });
  await app.worker({ concurrency: 2 }).start();
  const held = await hold.enqueue();
  await started.promise;

  await fill();
  let acknowledged = 0;
  // All or none of them.
  const enqueue = async (): Promise<void> => {
    await note.enqueueMany(Array.from({ length: BATCH }, (_, at) => [acknowledged + at, incompressible(bytes)]));
    acknowledged += BATCH;
  };
  const refused = await until("a refusal", () => enqueue().catch((error: unknown) => error ?? undefined));
  expect(refused).toMatchObject({ code: "broker", retryable: true, outcome: "none" });
  expect(String(refused)).toMatch(/its disk is full: free some space/);
  goOn.resolve();
  if (stopsResults) await until("the worker to need space", async () => saysFull(logger) || undefined);

  await free();
  await until("an acknowledgement", () => enqueue().then(() => true));
  expect(await held.result({ timeout: "20s" })).toHaveLength(bytes);
  await until("all that was acknowledged", async () => new Set(ran).size >= acknowledged || undefined);
  await until("empty queues", async () => (await app.inspect.queues()).length === 0 || undefined);
  expect([...new Set(ran)].sort((a, b) => a - b)).toEqual(Array.from({ length: acknowledged }, (_, n) => n));
}

function incompressible(bytes: number): string {
  return randomBytes(bytes).toString("latin1");
}

function saysFull(logger: RecordingLogger): boolean {
  return logger.lines.some(({ level, fields: { err } }) => level === "error" && String(err).includes("disk is full"));
}
