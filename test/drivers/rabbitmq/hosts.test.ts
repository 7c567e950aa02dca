import { createServer, type Socket } from "node:net";
import { ConfigError } from "taskwright";
import { describe, expect, onTestFinished, test } from "vitest";
import { deferred } from "../../core/support.js";
import { freePort } from "../../support/ports.js";
import { Relay } from "../../support/relay.js";
import { until } from "../../support/until.js";
import { appAt, connect, failure, place } from "./support.js";

/** Two ways to one server, which stand for two nodes of a cluster that both have the queues, and a URL with both. */
async function twoHosts(): Promise<{ one: Relay; two: Relay; url: string }> {
  const server = await place();
  const [one, two] = [await Relay.before(server), await Relay.before(server)];
  return { one, two, url: one.url.replace(one.address, `${one.address},${two.address}`) };
}

/** A host that takes connections and says nothing, as one that is stopped. */
async function silentHost(): Promise<string> {
  const port = await freePort();
  const sockets: Socket[] = [];
  const listener = createServer((socket) => sockets.push(socket));
  await new Promise<void>((resolve) => listener.listen(port, "127.0.0.1", resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => listener.close(resolve));
  });
  return `127.0.0.1:${port}`;
}

describe("of several hosts", () => {
  test("the second is used where the first is down", async () => {
    const { one, two, url } = await twoHosts();
    await one.down();
    const app = appAt(url);
    const double = app.task("double", (n: number) => 2 * n);
    await app.worker().start();
    expect(await double.enqueue(21).result({ timeout: "10s" })).toBe(42);
    expect(two.connections).toBe(2);
  });

  test("the second is used where the first takes connections and says nothing, within the time of one call", async () => {
    const { one, two, url } = await twoHosts();
    const { queueInspector } = await connect(`${url.replace(one.address, await silentHost())}?timeout=2s`);
    expect(await queueInspector.count(["default"])).toEqual([undefined]);
    expect(two.connections).toBe(1);
  });

  test("one is used at a time; when it dies the worker goes on at the other, and back", async () => {
    const { one, two, url } = await twoHosts();
    const app = appAt(url);
    const runs = new Set<number>();
    const [started, goOn] = [deferred(), deferred()];
    onTestFinished(() => goOn.resolve());
    const note = app.task("note", { attempts: 20 }, (n: number) => void runs.add(n));
    const hold = app.task("hold", { attempts: 20 }, async () => {
      started.resolve();
      await goOn.promise;
      return "held";
    });
    app.on("worker:error", () => {});
    await app.worker({ poisonLimit: 20, lease: 3000 }).start();
    const held = await hold.enqueue();
    await started.promise;
    expect([one.connections, two.connections]).toEqual([2, 0]);
    for (const [dying, other] of [
      [one, two],
      [two, one],
    ] as const) {
      await dying.down();
      const before = runs.size;
      for (let n = before; n < before + 20; n++) await until("an acknowledgement", () => note.enqueue(n));
      await until("their runs", async () => (runs.size === before + 20 ? true : undefined));
      expect([dying.connections, other.connections]).toEqual([0, 2]);
      await dying.up();
    }
    goOn.resolve();
    expect(await held.result({ timeout: "20s" })).toBe("held");
  }, 60_000);

  test.each([0, 1])("a wrong password is told of at once, also where host %i is down", async (down) => {
    const { one, two, url } = await twoHosts();
    await [one, two][down]?.down();
    const error = await failure(connect(`${url.replace("guest:guest", "guest:s3cret")}?timeout=60s`));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).toMatchObject({ message: expect.stringContaining("user or password is wrong") });
    expect(String(error)).not.toContain("s3cret");
  });
});
