import { readFile } from "node:fs/promises";
import { Redis } from "ioredis";
import { Taskwright } from "taskwright";
import { type RedisOptions as DriverOptions, redis } from "taskwright/drivers/redis";
import { expect, onTestFinished, test } from "vitest";
import { ConfigError } from "../../../src/job/errors.js";
import { deferred, RecordingLogger } from "../../core/support.js";
import { connect, failure, job, serve } from "./outage-support.js";

function appAt(options: DriverOptions | string): Taskwright {
  const app = new Taskwright({ broker: redis(options), logger: new RecordingLogger() });
  onTestFinished(() => app.close());
  return app;
}

/** A job of one app that a worker of another runs, so that commands and messages are seen to pass. */
async function expectToWork(options: DriverOptions | string): Promise<void> {
  const [producer, consumer] = [appAt(options), appAt(options)];
  const add = (a: number, b: number) => a + b;
  consumer.task("add", add);
  await consumer.worker().start();
  expect(await producer.task("add", add).enqueue(2, 3).result({ timeout: "5s" })).toBe(5);
}

test("TLS with the certificate to trust, and a password with characters that a URL has to encode", async () => {
  const server = await serve({ tls: true, password: "p@s/s:%w#?" });
  const ca = await readFile(server.ca ?? "");
  expect(server.url).toMatch(/^rediss:\/\/:p%40s%2Fs%3A%25w%23%3F@/);
  await expectToWork({ url: server.url, tls: { ca } });
  expect(await failure(connect({ url: server.url, timeout: "2s" }))).toMatchObject({
    message: expect.stringContaining("self-signed certificate"),
  });
});

test("a wrong password says what to write, and does not show the one that is given", async () => {
  const { port } = await serve({ password: "right" });
  const error = await failure(connect({ url: `redis://:s3cret@127.0.0.1:${port}`, timeout: "2s" }));
  expect(error).toBeInstanceOf(ConfigError);
  expect(error).toMatchObject({ message: expect.stringContaining("user or password is missing or wrong") });
  expect(String(error)).not.toContain("s3cret");
});

test("a user of its own, with no more rights than the message for missing rights asks for", async () => {
  const { port, ask } = await serve();
  await ask("ACL SETUSER me on >pw ~{shop}:* &{shop}:* +@all");
  await expectToWork({ url: `redis://me:pw@127.0.0.1:${port}`, prefix: "shop" });
  const { broker } = await connect({ url: `redis://me:pw@127.0.0.1:${port}`, prefix: "other" });
  await expect(broker.cancel([{ id: "x" }])).rejects.toThrow(ConfigError);
});

test("a unix socket", async () => {
  const { socket } = await serve();
  await expectToWork(`redis+unix://${socket}`);
  await expectToWork(`redis+unix://${socket}?db=2`);
});

test("a database that the server does not have is refused", async () => {
  const { url } = await serve();
  const error = await failure(connect({ url: `${url}/99`, timeout: "2s" }));
  expect(error).toBeInstanceOf(ConfigError);
  expect(error).toMatchObject({ message: expect.stringContaining("it has no database of that number") });
});

test.each([
  ["databases", { db: 1 }, { db: 2 }],
  ["prefixes", { prefix: "a" }, { prefix: "b" }],
  ["prefixes of which one begins the other", { prefix: "a" }, { prefix: "a:worker" }],
])("two %s of a server share no jobs, outcomes or messages", async (_, one, two) => {
  const { url } = await serve();
  const at = ({ db = 0, prefix = "same" }) => connect({ url: `${url}/${db}`, prefix });
  const [here, there] = [await at(one), await at(two)];
  const heard: string[] = [];
  const ends = { here: deferred(), there: deferred() };
  const listen = ({ notifier }: typeof here, name: keyof typeof ends) =>
    notifier.subscribe({ kind: "outcome", id: "x" }, () => {
      heard.push(name);
      ends[name].resolve();
    });
  await listen(here, "here");
  await listen(there, "there");
  const outcome = { id: "x", state: "completed", attempt: 1, body: Buffer.from("x") } as const;
  await here.broker.publish([job({ id: "j" })]);
  await here.backend.store([outcome]);
  await ends.here.promise;
  expect(await there.backend.read(["x"])).toEqual([undefined]);
  expect(await there.inspector.queues()).toEqual([]);
  expect(await here.inspector.queues()).toHaveLength(1);
  // Messages come in order: had one come before this, there were two.
  await there.backend.store([outcome]);
  await ends.there.promise;
  expect(heard).toEqual(["here", "there"]);
});

test("a client of ioredis lends its address and options, and stays open", async () => {
  const server = await serve({ password: "pw" });
  // What a client may have been told for other uses.
  const client = new Redis({ port: server.port, password: "pw", db: 3, keyPrefix: "mine:", stringNumbers: true });
  onTestFinished(() => client.disconnect());
  await expectToWork({ client });
  const app = appAt({ client });
  await app.task("t", { queue: "later" }, () => 1).enqueue();
  await app.close();
  expect(await client.ping()).toBe("PONG");
  const { inspector } = await connect({ url: `${server.url}/3` });
  const waiting = (await inspector.queues()).map(({ queue, counts }) => [queue, counts.waiting]);
  expect(waiting).toContainEqual(["later", 1]);
});
