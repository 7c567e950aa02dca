import { connect } from "amqplib";
import { describe, expect, onTestFinished, test } from "vitest";
import { startRabbitmq } from "./server.js";
import { rabbitmqPlace } from "./shared.js";

/** One that a client library can be connected to, and that comes back after a restart. */
async function reachable(url: string): Promise<string> {
  const connection = await connect(url);
  const { product } = connection.connection.serverProperties;
  await connection.close();
  return product;
}

describe("a RabbitMQ of a test's own", () => {
  test("answers when it has started, on the same port after a kill, and two do not meet", async () => {
    const [one, two] = await Promise.all([startRabbitmq(), startRabbitmq()]);
    onTestFinished(async () => void (await Promise.all([one.remove(), two.remove()])));
    expect(one.version).toMatch(/^rabbitmq-server \d+\.\d+/);
    expect(await reachable(one.url)).toBe("RabbitMQ");
    const url = await one.addVhost("mine");
    await one.kill("SIGKILL");
    await expect(connect(one.url)).rejects.toThrow(/ECONNREFUSED/);
    expect(await reachable(two.url)).toBe("RabbitMQ");
    await expect(connect(`${two.url}/mine`)).rejects.toThrow();
    await one.start();
    expect(await reachable(url)).toBe("RabbitMQ");
  }, 60_000);
});

describe("places on the shared RabbitMQ", () => {
  test("are virtual hosts of their own, and are gone once removed", async () => {
    const [one, two] = [await rabbitmqPlace(), await rabbitmqPlace()];
    expect(one.url).not.toBe(two.url);
    expect(await reachable(one.url)).toBe("RabbitMQ");
    await one.remove();
    await expect(connect(one.url)).rejects.toThrow();
    expect(await reachable(two.url)).toBe("RabbitMQ");
  }, 60_000);
});
