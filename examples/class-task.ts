/** A task as a class: it decides which errors are worth another attempt, and is told when all is lost. */
import assert from "node:assert/strict";
import { TaskHandler, Taskwright } from "taskwright";

await using app = new Taskwright({ broker: "memory:" });

const runs: string[] = [];
const alarms: string[] = [];

class SendInvoice extends TaskHandler<[id: string], string> {
  async handle(id: string): Promise<string> {
    runs.push(id);
    if (id === "no-address") throw new Error("the customer has no address");
    if (id === "busy" && runs.length === 1) throw new Error("the mail server is busy");
    return `sent ${id}`;
  }

  override shouldRetry(error: Error): boolean {
    return error.message.includes("busy");
  }

  override failed(error: Error, id: string): void {
    alarms.push(`${id}: ${error.message}`);
  }
}

const sendInvoice = app.task("invoice.send", { attempts: 5, backoff: { type: "fixed", delay: 10 } }, SendInvoice);

await using worker = app.worker();
await worker.start();

assert.equal(await sendInvoice.enqueue("busy").result({ timeout: "5s" }), "sent busy");
await assert.rejects(sendInvoice.enqueue("no-address").result({ timeout: "5s" }), /no address/);
assert.deepEqual(runs, ["busy", "busy", "no-address"]);
await worker.stop(); // waits for failed() too, which is called once the job is settled
assert.deepEqual(alarms, ["no-address: the customer has no address"]);
