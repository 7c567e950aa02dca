import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError } from "taskwright";
import { type MysqlOptions, mysql } from "taskwright/drivers/mysql";
import { describe, expect, onTestFinished, test } from "vitest";
import { driverFromUrl } from "../../../src/drivers/index.js";
import { CERTIFICATE, KEY, makeCertificate } from "../../support/certificate.js";
import { temporaryFolder } from "../../support/temporary.js";
import { connect, ENVIRONMENT, prefixOf, serve } from "./support.js";

describe("the options", () => {
  test.each(["mysql://me:s3cret@db/jobs", "mariadb://me:s3cret@db:3307/jobs?poolSize=3&tls=true"])(
    "%s names the driver, and shows no password",
    async (url) => {
      const driver = await driverFromUrl(url);
      expect(driver.name).toBe("mysql");
      expect(driver.location).not.toContain("s3cret");
      expect(driver.location).toContain("me:***@db");
    },
  );

  test.each<[string | MysqlOptions, RegExp]>([
    ["mysql://me:s3cret@db", /names no database/],
    ["mysql:jobs", /is not a mysql URL/],
    ["mysql://db/jobs?tablePrefx=a", /did you mean "tablePrefix"/],
    ["mysql://db/jobs?tablePrefix=a-b", /tablePrefix cannot be "a-b"/],
    ["mysql://db/jobs?poolSize=0", /poolSize cannot be 0/],
    ["mysql://db/jobs?tls=maybe", /tls cannot be "maybe"/],
    ["mysql://db/jobs?pollMin=2s", /poll cannot be from 2000 ms to 1000 ms/],
    ["mysql://me:100%@db/jobs", /write a percent sign as %25/],
    [{}, /either a url/],
    [{ url: "mysql://db/jobs", maxBytes: -1 }, /maxBytes cannot be -1/],
    [
      { url: "mysql://db/jobs", pool: { getConnection: async () => Promise.reject(new Error("none")) } },
      /either a url/,
    ],
    [{ url: "mysql://db/jobs", pol: {} } as MysqlOptions, /did you mean "poll"|did you mean "pool"/],
    [{ url: "mysql://db/jobs", poll: { mim: 1 } } as MysqlOptions, /did you mean "min"/],
  ])("%j is refused", (options, message) => {
    expect(() => mysql(options)).toThrow(ConfigError);
    expect(() => mysql(options)).toThrow(message);
    expect(() => mysql(options)).not.toThrow(/s3cret/);
  });

  test("something else than a pool is refused when it is needed", async () => {
    const driver = mysql({ pool: { getConnection: 1 } as unknown as NonNullable<MysqlOptions["pool"]> });
    await expect(driver.connect(ENVIRONMENT)).rejects.toThrow(/pool is no pool of mysql2/);
  });
});

test("a unix socket", async () => {
  const server = await serve();
  const url = `mysql://root@/test?tablePrefix=${prefixOf(server.place)}&socket=${encodeURIComponent(server.socket)}`;
  expect((await (await connect(url)).ping()).server).toMatch(/^(MariaDB|MySQL) \d+\.\d+/);
});

/** A server, under the name localhost, and what its certificate is to be checked against. */
async function serveTls(hosts?: string): Promise<{ readonly place: string; readonly ca: Buffer }> {
  const folder = await temporaryFolder();
  onTestFinished(() => folder.remove());
  await makeCertificate(folder.path, hosts);
  const [cert, key] = [join(folder.path, CERTIFICATE), join(folder.path, KEY)];
  const { place } = await serve({ arguments: [`--ssl-cert=${cert}`, `--ssl-key=${key}`] });
  return { place: place.replace("127.0.0.1", "localhost"), ca: await readFile(cert) };
}

test("TLS: a server is trusted by its certificate only", async () => {
  const { place, ca } = await serveTls();
  await expect(connect(`${place}&tls=true`)).rejects.toMatchObject({ code: "config" });
  const opened = await mysql({ url: place, tls: { ca } }).connect(ENVIRONMENT);
  onTestFinished(() => opened.close());
  expect((await opened.ping()).server).toMatch(/^(MariaDB|MySQL)/);
});

test("TLS: a certificate for another host is refused, although its CA is trusted", async () => {
  const { place, ca } = await serveTls("DNS:db.example.com");
  const connecting = mysql({ url: place, tls: { ca } }).connect(ENVIRONMENT);
  await expect(connecting).rejects.toThrow(/TLS could not be agreed upon/);
  await expect(connecting).rejects.toMatchObject({ code: "config" });
  // It is this server, and nothing but its name is wrong.
  const opened = await mysql({ url: place.replace("localhost", "127.0.0.1"), tls: { ca } }).connect(ENVIRONMENT);
  onTestFinished(() => opened.close());
  expect((await opened.ping()).server).toMatch(/^(MariaDB|MySQL)/);
});
