import assert from "node:assert/strict";
import type { Place } from "taskwright/conformance";
import type { Consumer, Lease, Settlement, SettleStatus } from "../../../src/contracts/broker.js";
import type { Connection, Inspector } from "../../../src/contracts/index.js";
import { CONSUMERS, type Command, type CommandKind, IDS, LEASE, QUEUES } from "./commands.js";
import { type ModelLease, Reference } from "./reference.js";

const HOUR = 3_600_000;
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (body: Uint8Array | undefined) => body && new TextDecoder().decode(body);

interface GivenLease {
  readonly real: Lease;
  readonly model: ModelLease;
  readonly consumer: Consumer;
}

/** Runs commands on a driver and on the reference, and compares all that can be seen after each. */
export class Trial {
  readonly #place: Place;
  readonly #connection: Connection;
  readonly #reference: Reference;
  readonly #consumers: Consumer[] = [];
  readonly #leases: GivenLease[] = [];
  readonly #told = new Set<string>();
  #step = 0;

  private constructor(place: Place, connection: Connection) {
    this.#place = place;
    this.#connection = connection;
    this.#reference = new Reference(place.clock.now());
  }

  static async run(place: Place, commands: readonly Command[]): Promise<void> {
    const logger = { debug() {}, info() {}, warn() {}, error() {} };
    const connection = await place.driver.connect({ clock: place.clock, random: () => 0, logger });
    try {
      const trial = new Trial(place, connection);
      await trial.#openConsumers();
      for (const command of commands) await trial.#apply(command);
    } finally {
      await connection.close();
      await place.remove?.();
    }
  }

  async #openConsumers(): Promise<void> {
    const onCancel = (ids: readonly string[]) => ids.forEach((id) => void this.#told.add(id));
    for (let index = 0; index < CONSUMERS; index++) {
      const options = { worker: `worker-${index}`, queues: QUEUES, capacity: 100, lease: LEASE, onCancel };
      this.#consumers.push(await this.#broker.consume(options));
    }
  }

  get #broker() {
    assert.ok(this.#connection.broker);
    return this.#connection.broker;
  }

  get #backend() {
    assert.ok(this.#connection.backend);
    return this.#connection.backend;
  }

  get #inspector(): Inspector {
    assert.ok(this.#connection.inspector);
    return this.#connection.inspector;
  }

  async #apply(command: Command): Promise<void> {
    this.#step++;
    switch (command.kind) {
      case "publish":
        await this.#publish(command);
        break;
      case "claim":
        await this.#claim(command);
        break;
      case "settle":
        await this.#settle(command);
        break;
      case "extend":
        await this.#extend(command);
        break;
      case "advance":
        await this.#place.advance(command.ms);
        this.#reference.now += command.ms;
        break;
      case "sweep": {
        const { recovered } = await this.#broker.sweep({ max: 1000, delay: command.delay, jitter: 0 });
        assert.equal(recovered, this.#reference.sweep(command.delay));
        break;
      }
      case "cancel":
        await this.#cancel(command);
        break;
      case "pause":
        await this.#pause(command);
        break;
      case "resurrect":
        assert.deepEqual(
          await this.#inspector.retry([command.id]),
          this.#reference.resurrect(command.id) ? [command.id] : [],
        );
        break;
      case "discard":
        assert.deepEqual(
          await this.#inspector.discard([command.id]),
          this.#reference.discard(command.id) ? [command.id] : [],
        );
        break;
      case "forget":
        assert.equal(await this.#backend.forget([command.id]), this.#reference.outcomes.delete(command.id) ? 1 : 0);
        break;
    }
    await this.#compare();
  }

  async #publish({ jobs }: CommandKind<"publish">): Promise<void> {
    const expected = jobs.map((job) =>
      this.#reference.publish(job.id, job.queue, job.priority, job.delay, job.expiresIn),
    );
    const statuses = await this.#broker.publish(
      jobs.map(({ id, queue, priority, delay, expiresIn }) => ({
        id,
        unique: true,
        task: "model.task",
        queue,
        priority,
        body: bytes(id),
        expires: { in: expiresIn },
        ...(delay > 0 && { notBefore: { in: delay } }),
      })),
    );
    assert.deepEqual(statuses, expected);
  }

  async #claim({ consumer: index, queues, max }: CommandKind<"claim">): Promise<void> {
    const consumer = this.#consumers[index];
    assert.ok(consumer);
    const claimed = await consumer.claim({ queues, max, wait: 0 });
    const groups = this.#reference.claimable(queues);
    checkClaim(
      claimed.map((job) => job.id),
      groups.map((group) => group.map((job) => ({ id: job.id, fresh: job.claims === 0 }))),
      max,
    );
    for (const real of claimed) {
      const job = this.#reference.find(real.id);
      assert.ok(job);
      const model = this.#reference.claim(job, LEASE);
      assert.deepEqual(
        [real.queue, real.priority, text(real.body), real.attempt, real.losses, text(real.history), real.expired],
        [job.queue, job.priority, job.id, job.attempt, job.losses, job.history, job.expiresAt <= this.#reference.now],
      );
      this.#leases.unshift({ real, model, consumer });
    }
  }

  async #settle({ how, lease: index, delay, keep }: CommandKind<"settle">): Promise<void> {
    const lease = this.#leases[index];
    if (!lease) return;
    const [settlement, expected] = this.#settlement(how, lease, delay, keep);
    assert.deepEqual(await lease.consumer.settle([settlement]), [expected]);
  }

  #settlement(
    how: CommandKind<"settle">["how"],
    { real: lease, model }: GivenLease,
    delay: number,
    keep: boolean,
  ): [Settlement, SettleStatus] {
    const note = `step ${this.#step}`;
    const history = bytes(note);
    const outcome = { id: lease.id, attempt: lease.attempt, body: history, ttl: HOUR };
    switch (how) {
      case "complete":
        return [
          { kind: "complete", lease, ...(keep && { outcome: { ...outcome, state: "completed" } }) },
          this.#reference.complete(model, keep ? note : undefined),
        ];
      case "retry":
        return [{ kind: "retry", lease, delay, history }, this.#reference.retry(model, delay, note)];
      case "dead":
        return [
          { kind: "dead", lease, reason: "failed", history, outcome: { ...outcome, state: "dead" } },
          this.#reference.bury(model, "failed", note, note),
        ];
      case "release":
        return [{ kind: "release", lease, delay }, this.#reference.release(model, delay)];
    }
  }

  async #extend({ lease: index }: CommandKind<"extend">): Promise<void> {
    const lease = this.#leases[index];
    if (!lease) return;
    assert.deepEqual(await lease.consumer.extend([lease.real]), [this.#reference.extend(lease.model, LEASE)]);
  }

  async #cancel({ id }: CommandKind<"cancel">): Promise<void> {
    const note = `step ${this.#step}`;
    const outcome = { id, state: "cancelled", attempt: 0, body: bytes(note), ttl: HOUR } as const;
    this.#told.clear();
    const [status] = await this.#broker.cancel([{ id, outcome }]);
    assert.equal(status, this.#reference.cancel(id, note));
    await this.#place.advance(0);
    if (status === "requested") assert.ok(this.#told.has(id), `the holder of ${id} is told`);
    for (const told of this.#told) {
      const job = this.#reference.find(told);
      assert.ok(job?.place === "active" && job.cancel, `${told} is active and to be cancelled`);
    }
  }

  async #pause({ queue, paused }: CommandKind<"pause">): Promise<void> {
    if (paused) await this.#inspector.pause(queue);
    else await this.#inspector.resume(queue);
    this.#reference.paused[paused ? "add" : "delete"](queue);
  }

  async #compare(): Promise<void> {
    const records = await this.#inspector.find(IDS);
    const seen = records.map(
      (one) => one && [one.id, one.state, one.queue, one.priority, one.attempt, one.losses, one.reason],
    );
    const expected = IDS.map((id) => {
      const job = this.#reference.find(id);
      return job && [id, this.#reference.state(job), job.queue, job.priority, job.attempt, job.losses, job.reason];
    });
    assert.deepEqual(seen, expected);
    const kept = await this.#backend.read(IDS);
    assert.deepEqual(
      kept.map((one) => text(one?.body)),
      IDS.map((id) => this.#reference.outcomes.get(id)),
    );
    await this.#compareQueues();
  }

  async #compareQueues(): Promise<void> {
    const seen = (await this.#inspector.queues()).map(({ queue, paused, counts }) => ({ queue, paused, counts }));
    const expected = QUEUES.map((queue) => {
      const counts = { scheduled: 0, waiting: 0, active: 0, retrying: 0, dead: 0 };
      for (const job of this.#reference.jobs) if (job.queue === queue) counts[this.#reference.state(job)]++;
      return { queue, paused: this.#reference.paused.has(queue), counts };
    });
    assert.deepEqual(
      seen,
      expected.filter(({ paused, counts }) => paused || Object.values(counts).some((count) => count > 0)),
    );
  }
}

/**
 * A claim is right when it takes as many as there are, up to `max`; empties each group (a queue and a priority) before the
 * next; and within a group takes jobs that were never claimed in the order of their age. Where jobs that were claimed
 * before stand among these is left to the driver.
 */
function checkClaim(claimed: readonly string[], groups: { id: string; fresh: boolean }[][], max: number): void {
  const available = groups.flat().length;
  assert.equal(claimed.length, Math.min(max, available), `claimed ${claimed.length} of ${available}, max ${max}`);
  let rest = claimed;
  for (const group of groups) {
    const part = rest.slice(0, group.length);
    rest = rest.slice(group.length);
    const ids = group.map((job) => job.id);
    assert.ok(
      part.every((id) => ids.includes(id)),
      `${part} are not all of ${ids}`,
    );
    assert.equal(new Set(part).size, part.length, `${part} has one twice`);
    const fresh = group.filter((job) => job.fresh).map((job) => job.id);
    const taken = part.filter((id) => fresh.includes(id));
    assert.deepEqual(taken, fresh.slice(0, taken.length), "never claimed jobs are taken oldest first");
  }
}
