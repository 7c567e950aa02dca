import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError } from "taskwright";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { CERTIFICATE, makeCertificate } from "../../support/certificate.js";
import { type RabbitmqServer, startRabbitmq } from "../../support/rabbitmq/server.js";
import { temporaryFolder } from "../../support/temporary.js";
import { connect, consume, failure, job, place, SOON } from "./support.js";

let server: RabbitmqServer;
beforeAll(async () => {
  server = await startRabbitmq({ tls: true });
}, 60_000);
afterAll(() => server.remove());

/** A job goes there and comes back. */
async function expectToWork(options: Parameters<typeof connect>[0]): Promise<void> {
  const { broker } = await connect(options);
  const it = job();
  expect(await broker.publish([it])).toEqual(["created"]);
  expect(await (await consume(broker)).claim(SOON)).toMatchObject([{ id: it.id }]);
}

test("TLS: a server is trusted by its certificate only, and what is wrong is said in one line", async () => {
  const folder = await temporaryFolder();
  onTestFinished(() => folder.remove());
  const [plain] = await Promise.all([place(), makeCertificate(folder.path)]);
  const { url } = server;
  expect(url).toMatch(/^amqps:/);
  const ca = await readFile(server.ca);
  await expectToWork({ url, tls: { ca } });
  const other = await readFile(join(folder.path, CERTIFICATE));
  const wrong = [
    [{ url, tls: { ca: other } }, "its certificate is not trusted: give `tls: { ca }` ("],
    [{ url }, "its certificate is not trusted: give `tls: { ca }` ("],
    [{ url, tls: { ca, servername: "rabbit.example" } }, "its certificate is for other names"],
    [{ url: plain.replace("amqp:", "amqps:") }, "it answers without TLS: write amqp://"],
  ] as const;
  for (const [options, advice] of wrong) {
    const error = await failure(connect(options));
    expect(error).toBeInstanceOf(ConfigError);
    const { message } = error as ConfigError;
    expect(message).toMatch(/^rabbitmq at amqps:[^\n]*$/);
    expect(message).toContain(`: ${advice}`);
  }
});

test("a virtual host whose name has to be encoded", async () => {
  await server.addVhost("shop/eu 100%");
  const tls = { ca: await readFile(server.ca) };
  await expectToWork({ url: `${server.url}/shop%2Feu%20100%25`, tls });
  for (const missing of ["shop", "shop%2Feu", "shop%252Feu%2520100%2525"]) {
    expect(await failure(connect({ url: `${server.url}/${missing}`, tls }))).toMatchObject({
      code: "config",
      message: expect.stringContaining("the virtual host does not exist"),
    });
  }
});

test("a wrong password says what to write, and does not show the one that is given", async () => {
  const tls = { ca: await readFile(server.ca) };
  const error = await failure(connect({ url: server.url.replace("guest:guest", "guest:s3cret"), tls }));
  expect(error).toBeInstanceOf(ConfigError);
  expect(error).toMatchObject({ message: expect.stringContaining("user or password is wrong") });
  expect(String(error)).not.toContain("s3cret");
});
