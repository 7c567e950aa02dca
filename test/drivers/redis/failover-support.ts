import { TaskwrightError } from "taskwright";
import { expect } from "vitest";
import { until } from "../../support/until.js";
import { appAt } from "./outage-support.js";

/** What the server that has the jobs must have done before it may end: a replica has everything. */
const REPLICATED = ":1\r\n";

/**
 * A producer and a worker at `url`, jobs that wait, and the end of the server that has them: both go on at the next by
 * themselves, and no replicated job is lost.
 *
 * @param end - Ends that server, once it answers that a replica has everything
 */
export async function survivesFailover(
  url: string,
  end: (replicated: (wait: string) => void) => Promise<void>,
): Promise<void> {
  const [producer, consumer] = [appAt(url), appAt(url)];
  const ran = new Set<number>();
  const note = (n: number) => {
    ran.add(n);
    return n;
  };
  const here = producer.task("note", note);
  consumer.task("note", note);
  await consumer.worker().start();
  expect(await here.enqueue(0).result({ timeout: "5s" })).toBe(0);
  const later = producer.task("later", { queue: "later" }, note);
  for (let n = 1; n <= 50; n++) await later.enqueue(n);
  await end((wait) => expect(wait).toBe(REPLICATED));
  const errors: unknown[] = [];
  // The same id makes the retry safe after an answer that was lost.
  const enqueue = () => here.with({ id: "afterwards" }).enqueue(51);
  const afterwards = await until("a job is taken", () =>
    enqueue().catch((error: unknown) => {
      errors.push(error);
      throw error;
    }),
  );
  for (const error of errors) expect(error).toBeInstanceOf(TaskwrightError);
  expect(await afterwards.result({ timeout: "10s" })).toBe(51);
  consumer.task("later", { queue: "later" }, note);
  await consumer.worker({ queues: ["later"] }).start();
  await until("all have run", async () => (ran.size === 52 ? true : undefined));
}
