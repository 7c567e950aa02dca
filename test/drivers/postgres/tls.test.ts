import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Taskwright } from "taskwright";
import { type PostgresOptions, postgres } from "taskwright/drivers/postgres";
import { beforeAll, expect, it, onTestFinished } from "vitest";
import { ConfigError } from "../../../src/job/errors.js";
import { CERTIFICATE, makeCertificate } from "../../support/certificate.js";
import { type PostgresServer, startPostgres } from "../../support/postgres/server.js";
import { ENVIRONMENT, migrate } from "../../support/postgres/shared.js";
import { temporaryFolder } from "../../support/temporary.js";

let server: PostgresServer;

beforeAll(async () => {
  server = await startPostgres({ tls: true });
  await migrate(postgres(trusting(server.ca)));
  return () => server.remove();
});

function trusting(ca: string): string {
  return `${server.url}?sslmode=verify-full&sslrootcert=${encodeURIComponent(ca)}`;
}

/** A certificate of somebody else's. */
async function foreignCertificate(): Promise<string> {
  const folder = await temporaryFolder();
  onTestFinished(() => folder.remove());
  await makeCertificate(folder.path);
  return join(folder.path, CERTIFICATE);
}

it.each([
  ["sslmode=verify-full with sslrootcert", async () => ({ url: trusting(server.ca) })],
  ["the option tls: { ca }", async () => ({ url: server.url, tls: { ca: await readFile(server.ca) } })],
])("with %s jobs, results and what is told go through TLS", async (_, options: () => Promise<PostgresOptions>) => {
  const app = new Taskwright({ broker: postgres(await options()), logger: ENVIRONMENT.logger });
  onTestFinished(() => app.close());
  const double = app.task("double", (n: number) => 2 * n);
  await app.worker().start();
  expect(await double.enqueue(21).result({ timeout: "10s" })).toBe(42);
  const rows = await server.ask(
    "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'taskwright'",
  );
  expect(rows).toEqual([{ ssl: true }]);
});

it.each<[string, () => Promise<PostgresOptions>, RegExp]>([
  [
    "another CA in the URL",
    async () => ({ url: trusting(await foreignCertificate()) }),
    /TLS could not be agreed upon/,
  ],
  [
    "another CA in tls",
    async () => ({ url: server.url, tls: { ca: await readFile(await foreignCertificate()) } }),
    /TLS could not be agreed upon/,
  ],
  ["no CA", async () => ({ url: `${server.url}?sslmode=verify-full` }), /TLS could not be agreed upon/],
  ["no TLS", async () => ({ url: server.url }), /may not log in.*(no encryption|SSL off)/],
  ["a file that is not there", async () => ({ url: trusting("/nowhere/ca.pem") }), /correct sslrootcert/],
])("%s is refused with one line that says what to correct", async (_, options, message) => {
  const error = await postgres(await options())
    .connect(ENVIRONMENT)
    .then(
      () => undefined,
      (reason: unknown) => reason,
    );
  expect(error).toBeInstanceOf(ConfigError);
  expect(String(error)).toMatch(message);
  expect(String(error)).not.toContain("\n");
});

it("a server whose certificate is for another host is refused, although its CA is trusted", async () => {
  const elsewhere = await startPostgres({ tls: { hosts: "DNS:db.example.com" } });
  onTestFinished(() => elsewhere.remove());
  const url = elsewhere.url.replace("127.0.0.1", "localhost");
  const tls = { ca: await readFile(elsewhere.ca) };
  const connecting = postgres({ url, tls }).connect(ENVIRONMENT);
  await expect(connecting).rejects.toThrow(/TLS could not be agreed upon.*db\.example\.com/);
  await expect(connecting).rejects.toThrow(ConfigError);
  const byUrl = postgres(`${url}?sslmode=verify-full&sslrootcert=${encodeURIComponent(elsewhere.ca)}`);
  await expect(byUrl.connect(ENVIRONMENT)).rejects.toThrow(/TLS could not be agreed upon.*db\.example\.com/);
  // It is this server, and nothing but its name is wrong.
  const unchecked = postgres({ url, tls: { ...tls, checkServerIdentity: () => undefined } });
  await expect(unchecked.connect(ENVIRONMENT)).rejects.toThrow(/`taskwright migrate`/);
});

it("a server without TLS is refused where TLS was asked for", async () => {
  const plain = await startPostgres();
  onTestFinished(() => plain.remove());
  const connecting = postgres(`${plain.url}?sslmode=verify-full`).connect(ENVIRONMENT);
  await expect(connecting).rejects.toThrow(/TLS could not be agreed upon.*does not support SSL/);
  await expect(connecting).rejects.toThrow(ConfigError);
});
