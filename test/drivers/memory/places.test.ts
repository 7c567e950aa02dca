import { ConfigError } from "taskwright";
import { fromUrl, memory } from "taskwright/drivers/memory";
import { FakeClock } from "taskwright/testing";
import { describe, expect, test } from "vitest";
import { connect, consume, job, QUEUE } from "./support.js";

describe("where jobs are", () => {
  test("without a name, each driver value has its own jobs, over all its connections", async () => {
    const driver = memory();
    const [first, second, stranger] = [await connect(driver), await connect(driver), await connect()];
    await first.broker.publish([job("one")]);
    expect((await second.inspector.find(["one"]))[0]?.state).toBe("waiting");
    expect(await stranger.inspector.find(["one"])).toEqual([undefined]);
  });

  test("a name shares jobs within the process, however it is written", async () => {
    const first = await connect(memory({ name: "shared place" }));
    await first.broker.publish([job("one")]);
    const second = await connect(fromUrl("memory://shared%20place"));
    expect((await second.inspector.find(["one"]))[0]?.state).toBe("waiting");
  });

  test("the first of the connections that are open decides on the clock", async () => {
    const driver = memory();
    const [early, late] = [new FakeClock(new Date(1000)), new FakeClock(new Date(2000))];
    const first = await connect(driver, early);
    const second = await connect(driver, late);
    expect((await second.ping()).time).toBe(1000);
    await first.close();
    await second.close();
    expect((await (await connect(driver, late)).ping()).time).toBe(2000);
  });
});

describe("options", () => {
  test("URLs and options say the same", () => {
    expect(fromUrl("memory:").location).toBe("memory:");
    expect(fromUrl("MEMORY://jobs").location).toBe("memory://jobs");
    expect(fromUrl("memory:").inline).toBe(false);
    expect(fromUrl("memory:?inline=true").inline).toBe(true);
    expect(memory({ inline: true }).inline).toBe(true);
  });

  test.each(["memory:jobs", "memory:?inlined=true", "memory:?maxStoredResults=many", "memory:?inline=maybe"])(
    "%s is refused",
    (url) => {
      expect(() => fromUrl(url)).toThrow(ConfigError);
    },
  );

  test("maxStoredResults keeps the newest outcomes", async () => {
    const { backend } = await connect(memory({ maxStoredResults: 2 }));
    const outcome = (id: string) => ({ id, state: "completed", attempt: 1, body: new Uint8Array() }) as const;
    await backend.store([outcome("a"), outcome("b"), outcome("a"), outcome("c")]);
    expect((await backend.read(["a", "b", "c"])).map((one) => one?.id)).toEqual(["a", undefined, "c"]);
  });

  test("maxStoredResults of 0 keeps none, but tells who listens", async () => {
    const connection = await connect(memory({ maxStoredResults: 0 }));
    const heard: unknown[] = [];
    await connection.notifier.subscribe({ kind: "outcome", id: "one" }, (outcome) => heard.push(outcome?.id));
    await connection.broker.publish([job("one")]);
    const consumer = await consume(connection);
    const [lease] = await consumer.claim({ queues: [QUEUE], max: 1, wait: 0 });
    if (!lease) throw new Error("nothing was claimed");
    const outcome = { id: "one", state: "completed", attempt: 1, body: new Uint8Array() } as const;
    await consumer.settle([{ kind: "complete", lease, outcome }]);
    expect(heard).toEqual(["one"]);
    expect(await connection.backend.read(["one"])).toEqual([undefined]);
  });
});
