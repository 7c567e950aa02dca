import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { maskSecrets, maskUrl } from "../../src/config/mask.js";

describe("maskUrl", () => {
  it.each([
    ["redis://me:s3cret@localhost:6379/0", "redis://me:***@localhost:6379/0"],
    ["redis://:s3cret@localhost", "redis://:***@localhost"],
    ["postgres://me@localhost/db", "postgres://me@localhost/db"],
    ["postgres://me:p@ss/w:rd@localhost/db", "postgres://me:***@localhost/db"],
    ["nats://s3cret@localhost:4222", "nats://***@localhost:4222"],
    ["redis://localhost?password=s3cret&db=1", "redis://localhost?password=***&db=1"],
    ["mysql://h/db?ssl=1&authToken=abc", "mysql://h/db?ssl=1&authToken=***"],
    ["libsql://h?authToken=abc@def", "libsql://h?authToken=***"],
    ["sqlite:./taskwright.db", "sqlite:./taskwright.db"],
    ["sqlite:///var/lib/jobs.db?synchronous=NORMAL", "sqlite:///var/lib/jobs.db?synchronous=NORMAL"],
    ["http://localhost:8080/a@b", "http://localhost:***@b"],
  ])("%s", (url, masked) => {
    expect(maskUrl(url)).toBe(masked);
  });
});

describe("maskSecrets", () => {
  it.each([
    [
      "connect redis://a:b@h failed, tried amqp://c:d@i too",
      "connect redis://a:***@h failed, tried amqp://c:***@i too",
    ],
    ["host=db password='a b' user=me", "host=db password=*** user=me"],
    ['{"user":"me","apiKey":"k","n":1}', '{"user":"me","apiKey":"***","n":1}'],
    ["Authorization: Bearer abcdef123456", "Authorization: Bearer ***"],
    ["AWS_SECRET_ACCESS_KEY=abc region=eu", "AWS_SECRET_ACCESS_KEY=*** region=eu"],
    ["the author=me of tokens", "the author=me of tokens"],
    ["password authentication failed", "password authentication failed"],
  ])("%s", (text, masked) => {
    expect(maskSecrets(text)).toBe(masked);
  });
});

/** A mark that no masked text has by chance, then anything a password may hold. */
const password = fc.string({ minLength: 1, unit: "grapheme-ascii" }).map((tail) => `Xq9~${tail}`);
const word = fc.stringMatching(/^[a-z]{1,8}$/);
const marker = "Xq9~";

describe("a password never appears", () => {
  it("in the user info of a URL, escaped or not", () => {
    fc.assert(
      fc.property(word, word, word, password, fc.boolean(), (scheme, user, host, secret, escaped) => {
        const url = `${scheme}://${user}:${escaped ? encodeURIComponent(secret) : secret}@${host}:1234/path`;
        expect(maskUrl(url)).toBe(`${scheme}://${user}:***@${host}:1234/path`);
      }),
    );
  });

  it("in a text around a URL without blanks", () => {
    const unbroken = password.filter((secret) => !/\s/.test(secret));
    fc.assert(
      fc.property(word, unbroken, fc.string(), (host, secret, before) => {
        expect(maskSecrets(`${before} redis://me:${secret}@${host} refused`)).not.toContain(marker);
      }),
    );
  });

  it("in a query parameter, a pair or JSON", () => {
    const key = fc.constantFrom("password", "token", "apiKey", "secret", "access_key", "authToken", "sslkey");
    fc.assert(
      fc.property(key, password, word, (name, secret, host) => {
        const encoded = encodeURIComponent(secret);
        expect(maskUrl(`redis://${host}/?a=1&${name}=${encoded}&b=2`)).not.toContain(marker);
        expect(maskSecrets(`failed: ${name}=${encoded} at ${host}`)).not.toContain(marker);
        expect(maskSecrets(`failed: ${JSON.stringify({ [name]: secret })}`)).not.toContain(marker);
      }),
    );
  });

  it("is not changed by masking twice", () => {
    fc.assert(fc.property(fc.webUrl({ withQueryParameters: true }), (url) => maskUrl(maskUrl(url)) === maskUrl(url)));
  });
});
