import fc from "fast-check";
import { Taskwright } from "taskwright";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { readCanvas } from "../../src/celery/signature.js";
import { fromWire, toWire } from "../../src/celery/signature-data.js";
import type { SignatureData } from "../../src/signature.js";
import { type RedisServer, startRedis } from "../support/redis/server.js";
import { PythonClient } from "./python.js";

const ours = (data: SignatureData, immutable = false) => toWire({ data, immutable, rest: {} });
const when = Date.parse("2030-01-02T03:04:05.678Z");

describe("a signature of ours", () => {
  it("in Celery's form", () => {
    const app = new Taskwright({ broker: "memory:" });
    onTestFinished(() => app.close());
    const add = app.task("proj.add", (a: number, b: number) => a + b);
    const signature = add
      .with({ queue: "q", priority: 5, delay: "10s", expires: "1m", timeout: "20s", attempts: 4 })
      .s(3);
    expect(ours(signature.toData())).toEqual({
      task: "proj.add",
      args: [3],
      kwargs: {},
      options: {
        queue: "q",
        priority: 5,
        countdown: 10,
        expires: 60,
        time_limit: 20,
        headers: { taskwright: { attempts: 4 } },
      },
      subtask_type: null,
      immutable: false,
    });
  });

  it("with moments, an id, keyword arguments, and no result", () => {
    const options = {
      id: "i",
      notBefore: { at: when },
      expires: { at: when },
      kwargs: { x: 1 },
      result: { keep: false },
    };
    expect(ours({ task: "t", args: [], options }, true)).toMatchObject({
      kwargs: { x: 1 },
      options: { task_id: "i", eta: "2030-01-02T03:04:05.678+00:00", ignore_result: true },
      immutable: true,
    });
  });

  it("that Celery cannot carry is refused", () => {
    const data = { task: "t", args: [new Map()], options: {} };
    expect(() => ours(data)).toThrow(/args\[0\] is a Map/);
    expect(() => ours({ task: "t", args: [], options: { broadcast: true } })).toThrow(/cannot be a broadcast/);
    expect(() => ours({ task: "t", args: [], options: { backoff: () => 1 } })).toThrow(
      /backoff function .* cannot travel/,
    );
  });

  it("comes back as it was", () => {
    const moment = fc.oneof(
      fc.nat(1e7).map((ms) => ({ in: ms * 1000 })),
      fc.nat(4e9).map((s) => ({ at: s * 1000 })),
    );
    const options = fc.record(
      {
        id: fc.uuid(),
        queue: fc.constantFrom("a", "b"),
        priority: fc.nat(9),
        notBefore: moment,
        expires: moment,
        timeout: fc.nat(1e6).map((s) => (s + 1) * 1000),
        attempts: fc.integer({ min: 1, max: 10 }),
        backoff: fc.constantFrom(1000, "10s" as const),
        labels: fc.dictionary(fc.constantFrom("a", "b"), fc.string(), { minKeys: 1 }),
        delivery: fc.constantFrom("at-least-once" as const, "at-most-once" as const),
        kwargs: fc.dictionary(fc.constantFrom("x", "y"), fc.integer(), { minKeys: 1 }),
        result: fc.record({ keep: fc.constant(false), ttl: fc.integer({ min: 1, max: 1e6 }) }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.array(fc.integer()), options, fc.boolean(), (args, given, immutable) => {
        const foreign = { data: { task: "t", args, options: given }, immutable, rest: { link: null, shadow: "s" } };
        const { data, rest } = fromWire(toWire(foreign));
        expect(data).toEqual(foreign.data);
        expect(rest).toEqual({ shadow: "s" });
      }),
    );
  });
});

describe("with the real Celery", () => {
  let server: RedisServer;
  let python: PythonClient;

  beforeAll(async () => {
    server = await startRedis();
    python = await PythonClient.open({ broker: `${server.url}/0` });
  });

  afterAll(async () => {
    python?.close();
    await server?.remove();
  });

  it("its signature comes back from here the same", async () => {
    const made =
      "add.s(1, 2).set(task_id='i', queue='q', priority=3, countdown=10, time_limit=5, expires=60, link=[tsum.s()], soft_time_limit=4, stamped_headers=['a'], a=1, headers={'trace': 'x'})";
    const dict = await python.eval(`json.loads(json.dumps(${made}))`);
    const { signature } = readCanvas(dict, "signature");
    const foreign = fromWire(signature);
    expect(foreign.data).toMatchObject({ task: "proj.add", args: [1, 2], options: { id: "i", timeout: 5000 } });
    expect(Object.keys(foreign.rest).sort()).toEqual(["a", "headers", "link", "soft_time_limit", "stamped_headers"]);
    const back = JSON.stringify(JSON.stringify(toWire(foreign)));
    expect(await python.eval(`json.loads(${back}) == json.loads(json.dumps(${made}))`)).toBe(true);
  });

  it("runs a signature of ours as its own", async () => {
    const text = JSON.stringify(JSON.stringify(ours({ task: "proj.add", args: [1, 2], options: { queue: "q" } })));
    expect(await python.eval(`signature(json.loads(${text}), app=app)()`)).toBe(3);
  });
});
