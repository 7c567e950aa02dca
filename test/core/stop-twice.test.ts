import { Taskwright } from "taskwright";
import { memory } from "taskwright/drivers/memory";
import { expect, test } from "vitest";

test("a second stop without grace ends the first one, even if that has not begun to wait", async () => {
  await using app = new Taskwright({ broker: memory() });
  let tellStarted = (): void => {};
  const started = new Promise<void>((resolve) => {
    tellStarted = resolve;
  });
  const forever = app.task("forever", () => {
    tellStarted();
    return new Promise<void>(() => {});
  });
  const worker = app.worker({ grace: "1h" });
  await worker.start();
  const job = await forever.enqueue();
  await started;
  const stopped = worker.stop();
  await worker.stop({ grace: 0 });
  await stopped;
  expect(worker.stats.released).toBe(1);
  expect(await job.state()).toBe("waiting");
});
