import { driverFromUrl } from "../../../src/drivers/index.js";
import { currentJob, Taskwright } from "../../../src/index.js";
import { ENVIRONMENT } from "../../support/postgres/shared.js";
import { until } from "../../support/until.js";

/** Nothing that is frozen may have expired when it is looked at. */
const FOR_EVER = "36500d";

/** The tasks of all frozen jobs. What ran is noted with the number of the attempt. */
export function frozenTasks(app: Taskwright) {
  const ran: string[] = [];
  const note = (name: string): string => {
    ran.push(`${name}, attempt ${currentJob().attempt}`);
    return `noted ${name}`;
  };
  return {
    ran,
    note: app.task("note", note),
    report: app.task("report", async (name: string) => {
      await currentJob().progress({ done: 0.5 });
      await currentJob().log("half of it");
      return note(name);
    }),
    /** Fails when it is frozen, and not any more after that. */
    fail: app.task("fail", { attempts: 1 }, (name: string, until: number) => noteFrom(note, name, until)),
    flaky: app.task("flaky", { attempts: 3, backoff: "5s" }, (name: string, until: number) =>
      noteFrom(note, name, until),
    ),
  };
}

function noteFrom(note: (name: string) => string, name: string, from: number): string {
  if (Date.now() < from) throw new TypeError("not yet");
  return note(name);
}

/** Fills a migrated database with a job in each state, outcomes, reports, a paused queue, an entry and a counter. */
export async function populate(broker: string): Promise<void> {
  const app = new Taskwright({ broker, logger: ENVIRONMENT.logger, defaults: { result: { ttl: FOR_EVER } } });
  try {
    await populateEnded(app);
    await populateActive(app, broker);
    await populateResting(app);
  } finally {
    await app.close();
  }
}

async function populateEnded(app: Taskwright): Promise<void> {
  const { note, report, fail, flaky } = frozenTasks(app);
  const worker = app.worker();
  await worker.start();
  await note.with({ id: "completed" }).enqueue("completed").result();
  await report.with({ id: "reported" }).enqueue("reported").result();
  const soon = Date.now() + 5000;
  await fail
    .with({ id: "dead", labels: { tenant: "a" } })
    .enqueue("dead", soon)
    .result()
    .catch(() => {});
  const retrying = await flaky.with({ id: "retrying", priority: 3 }).enqueue("retrying", soon);
  await until("a retry", async () => (await retrying.state()) === "retrying" || undefined);
  await worker.stop();
}

/** Claimed, and never settled: its worker is gone when this is looked at. */
async function populateActive(app: Taskwright, broker: string): Promise<void> {
  await app.send("note", { id: "active", args: ["active"] });
  const connection = await (await driverFromUrl(broker)).connect(ENVIRONMENT);
  const options = { worker: "gone", queues: ["default"], capacity: 1, lease: 1, onCancel() {} };
  const [job] = (await (await connection.broker?.consume(options))?.claim({ ...options, max: 1, wait: 0 })) ?? [];
  if (job?.id !== "active") throw new Error("the job was not claimed");
  await connection.coordinator?.put("frozen", Buffer.from("an entry"));
  await connection.coordinator?.increment("frozen", 7);
  await connection.close();
}

async function populateResting(app: Taskwright): Promise<void> {
  await app.send("note", { id: "waiting", args: ["waiting"], priority: 7, labels: { tenant: "b" } });
  await app.send("note", { id: "delayed", args: ["delayed"], delay: "1s" });
  await app.send("note", { id: "later", args: ["later"], at: new Date("2100-01-01") });
  await app.send("note", { id: "paused", args: ["paused"], queue: "paused" });
  await app.inspect.pause("paused");
}
