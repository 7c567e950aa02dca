import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CeleryMessage, readMessage } from "../../src/celery/message.js";
import { writeMessage } from "../../src/celery/outgoing.js";
import { keyOf, writeRaw } from "../../src/drivers/redis/celery/kombu.js";
import { UnreadableError } from "../../src/index.js";
import { CAPTURED, captured, envelopeOf } from "./fixtures/messages.js";

const read = (name: string): CeleryMessage => readMessage(captured(name));

const WHEN = Date.parse("2030-01-02T03:04:05.678Z");
const UNREADABLE = ["bzip2", "pickle", "yaml"];

describe("messages captured from Celery 5.2", () => {
  it.each([...CAPTURED.keys()].filter((name) => !UNREADABLE.includes(name)))("%s is read", (name) => {
    const message = read(name);
    expect(message.task).toMatch(/^proj\./);
    expect(message.protocol).toBe(name.startsWith("v1") ? 1 : 2);
  });

  it("arguments", () => {
    expect(read("plain")).toMatchObject({
      task: "proj.add",
      args: [2, 3],
      kwargs: {},
      retries: 0,
      ignoreResult: false,
    });
    expect(read("kwargs")).toMatchObject({
      args: [1],
      kwargs: { text: "grüße ☃ \u{1f600}", deep: { list: [1, null, true, 2.5] } },
    });
    expect(read("msgpack")).toMatchObject({
      args: [1, "ß", Buffer.from([0, 255]), 2.5, null, [1]],
      kwargs: { k: { a: 1 } },
    });
    expect(read("zlib").args).toEqual(["x".repeat(200)]);
    expect(read("zlib-msgpack").args).toEqual(["x".repeat(200)]);
  });

  it("times", () => {
    expect(read("eta").eta).toBe(WHEN);
    expect(read("expires").expires).toBe(WHEN);
    expect(read("v1-eta")).toMatchObject({ eta: WHEN, expires: WHEN });
    expect(read("plain")).toMatchObject({ eta: undefined, expires: undefined });
  });

  it("limits, retries, ids", () => {
    expect(read("time-limits")).toMatchObject({ hardLimit: 20, softLimit: 10.5 });
    expect(read("retries").retries).toBe(2);
    expect(read("ignore-result").ignoreResult).toBe(true);
    expect(read("id-and-shadow")).toMatchObject({
      id: "my-own-id",
      rootId: "my-own-id",
      headers: { shadow: "shadowed" },
    });
    expect(read("headers").headers).toMatchObject({ trace: "abc", stamps: { a: 1 } });
    expect(captured("priority").priority).toBe(7);
    expect(CAPTURED.get("priority")?.key).toBe(keyOf("celery", 7));
  });

  it("workflows", () => {
    expect(read("link").callbacks).toMatchObject([{ kind: "task", signature: { task: "proj.add", args: [10] } }]);
    expect(read("links").callbacks.map(({ kind }) => kind)).toEqual(["task", "task", "group"]);
    expect(read("link-error").errbacks).toHaveLength(1);
    // The next step is the last one.
    expect(read("chain").chain.map(({ signature }) => signature.args)).toEqual([[4], [3]]);
    expect(read("chain-chord").chain).toMatchObject([{ kind: "chord", body: { kind: "chain" } }]);
    expect(read("group-1")).toMatchObject({ groupIndex: undefined, groupId: read("group-0").groupId });
    expect(read("chord-1")).toMatchObject({ groupIndex: 1, chord: { signature: { task: "proj.tsum" } } });
    expect(read("v1-chain").callbacks).toHaveLength(1);
  });

  it.each([
    ["pickle", /pickle, which is never decoded because it can run code: set task_serializer = "json"/],
    ["yaml", /yaml, which is never decoded because it can run code/],
    ["bzip2", /compressed by "application\/x-bz2": only zlib is read/],
  ])("%s is refused with the reason", (name, reason) => {
    expect(() => read(name)).toThrow(UnreadableError);
    expect(() => read(name)).toThrow(reason);
  });
});

/** What Celery 5.2 writes into headers and properties, by name. */
const shape = (value: unknown): unknown => Object.keys(value ?? {}).sort();

describe("messages that we write", () => {
  const draft = {
    id: "an-id",
    task: "proj.add",
    queue: "celery",
    priority: 0,
    args: [1, "it's", null, true],
    kwargs: { x: [1.5] },
    rootId: "root",
    parentId: undefined,
    form: "json",
  } as const;

  it("have the headers and properties that Celery's have", () => {
    const ours = JSON.parse(writeRaw(writeMessage(draft), "tag")) as Record<string, object>;
    const theirs = JSON.parse(CAPTURED.get("plain")?.raw ?? "") as typeof ours;
    expect(shape(ours)).toEqual(shape(theirs));
    expect(shape(ours.headers)).toEqual(shape(theirs.headers));
    expect(shape(ours.properties)).toEqual(shape(theirs.properties));
  });

  it("show their arguments as Python does", () => {
    expect(writeMessage(draft).headers?.headers).toMatchObject({
      argsrepr: '(1, "it\'s", None, True)',
      kwargsrepr: "{'x': [1.5]}",
    });
  });

  it("come back as they were", () => {
    const value = fc.jsonValue({ maxDepth: 4 });
    // -0 is 0 in JSON.
    const same = (a: unknown) => JSON.parse(JSON.stringify(a)) as unknown;
    fc.assert(
      fc.property(
        fc.array(value),
        fc.dictionary(
          fc.string().filter((key) => key !== "__proto__"),
          value,
        ),
        fc.constantFrom("json" as const, "msgpack" as const),
        fc.option(fc.integer({ min: 0, max: 4e12 }), { nil: undefined }),
        fc.nat(1000),
        (args, kwargs, form, eta, retries) => {
          // msgpackr reads such a key as "__proto_", so that it never sets a prototype.
          fc.pre(form === "json" || !JSON.stringify([args, kwargs]).includes("__proto__"));
          const raw = writeRaw(writeMessage({ ...draft, args, kwargs, form, eta, expires: eta, retries }), "tag");
          const message = readMessage(envelopeOf(Buffer.from(raw)));
          expect({ ...message, args: same(message.args), kwargs: same(message.kwargs) }).toMatchObject({
            task: draft.task,
            id: draft.id,
            args: same(args),
            kwargs: same(kwargs),
            eta,
            expires: eta,
            retries,
          });
        },
      ),
    );
  });
});

/** Whatever comes in, it is read or refused with an UnreadableError: nothing else is parked. */
function readOrRefused(raw: Buffer): void {
  try {
    readMessage(envelopeOf(raw));
  } catch (error) {
    if (!(error instanceof UnreadableError)) throw error;
    expect(error.message).not.toBe("");
  }
}

const rawMessages = [...CAPTURED.values()].map(({ raw }) => Buffer.from(raw));
const anyRaw = fc.constantFrom(...rawMessages);

describe("hostile messages", () => {
  it("with bytes changed, removed and added are read or refused", () => {
    const change = fc.record({ at: fc.nat(), byte: fc.nat(255), kind: fc.constantFrom("set", "remove", "add", "cut") });
    fc.assert(
      fc.property(anyRaw, fc.array(change, { minLength: 1, maxLength: 8 }), (raw, changes) => {
        const bytes = [...raw];
        for (const { at, byte, kind } of changes) {
          const place = at % Math.max(1, bytes.length);
          if (kind === "set") bytes[place] = byte;
          else if (kind === "remove") bytes.splice(place, 1);
          else if (kind === "add") bytes.splice(place, 0, byte);
          else bytes.length = place;
        }
        readOrRefused(Buffer.from(bytes));
      }),
      { numRuns: 1000 },
    );
  });

  it("with bytes of their bodies changed are read or refused", () => {
    fc.assert(
      fc.property(anyRaw, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 }), (raw, changes) => {
        const message = JSON.parse(raw.toString()) as { body: string };
        const body = Buffer.from(message.body, "base64");
        for (const [at, byte] of changes) body[at % body.length] = byte;
        readOrRefused(Buffer.from(JSON.stringify({ ...message, body: body.toString("base64") })));
      }),
      { numRuns: 1000 },
    );
  });

  it("with any value in place of a header, a property or a part are read or refused", () => {
    const paths = (value: unknown, path: string[] = []): string[][] =>
      typeof value === "object" && value !== null && !Array.isArray(value)
        ? [path, ...Object.entries(value).flatMap(([key, one]) => paths(one, [...path, key]))]
        : [path];
    fc.assert(
      fc.property(anyRaw, fc.nat(), fc.anything({ maxDepth: 2 }), (raw, pick, value) => {
        const message = JSON.parse(raw.toString()) as object;
        const all = paths(message);
        readOrRefused(Buffer.from(JSON.stringify(replaced(message, all[pick % all.length] ?? [], value)) ?? "null"));
      }),
      { numRuns: 1000 },
    );
  });

  it("with any value in place of a part of the body are read or refused", () => {
    const options = { headers: { task: "t", id: "i" } };
    const signature = fc.record(
      { task: fc.anything(), args: fc.anything(), options: fc.anything(), kwargs: fc.anything() },
      { requiredKeys: [] },
    );
    const embed = fc.dictionary(
      fc.constantFrom("callbacks", "errbacks", "chain", "chord"),
      fc.oneof(fc.anything(), signature, fc.array(signature)),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          fc.tuple(fc.jsonValue(), fc.jsonValue(), embed).map((body) => JSON.stringify(body, plain)),
        ),
        (text) => {
          const raw = JSON.stringify({
            ...options,
            body: Buffer.from(text).toString("base64"),
            "content-type": "application/json",
            properties: { body_encoding: "base64" },
          });
          readOrRefused(Buffer.from(raw));
        },
      ),
      { numRuns: 1000 },
    );
  });

  it("that nest too deep are refused", () => {
    let deep: unknown = { task: "t", subtask_type: "chain", kwargs: { tasks: [] } };
    for (let level = 0; level < 200; level++) deep = { task: "t", subtask_type: "chain", kwargs: { tasks: [deep] } };
    const body = [[], {}, { chain: [deep] }];
    const envelope = {
      id: "i",
      headers: { headers: { task: "t", id: "i" }, properties: { content_type: "application/json" } },
    };
    expect(() => readMessage({ ...envelope, body: Buffer.from(JSON.stringify(body)) })).toThrow(
      /nested deeper than 100/,
    );
    expect(() => readMessage({ ...envelope, body: Buffer.from("[".repeat(1e6)) })).toThrow(UnreadableError);
  });

  it.each(["application/json", "application/x-msgpack"])(
    "of %s that unpack to more than is taken are refused",
    (type) => {
      const body = deflateSync(Buffer.alloc(200 * 1024 * 1024, "[]"));
      const headers = { headers: { task: "t", id: "i", compression: "zlib" }, properties: { content_type: type } };
      const before = process.memoryUsage().arrayBuffers;
      expect(() => readMessage({ id: "i", body, headers })).toThrow(
        /unpacks to more than 1,048,576 bytes: raise maxBytes/,
      );
      expect(() => readMessage({ id: "i", body, headers }, 5000)).toThrow(/unpacks to more than 5,000 bytes/);
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20e6);
    },
  );

  it("that say they hold more than they do are refused at once", () => {
    const headers = { headers: { task: "t", id: "i" }, properties: { content_type: "application/x-msgpack" } };
    for (const first of [0xdd, 0xdf, 0xdb, 0xc6, 0xc9]) {
      const body = Buffer.from([first, 0xff, 0xff, 0xff, 0xff, 1]);
      expect(() => readMessage({ id: "i", body, headers })).toThrow(UnreadableError);
    }
  });
});

/** JSON has neither, and Celery sends neither. */
function plain(_: string, value: unknown): unknown {
  return typeof value === "bigint" || typeof value === "symbol" ? String(value) : value;
}

function replaced(message: unknown, [key, ...rest]: string[], value: unknown): unknown {
  if (key === undefined) return JSON.parse(JSON.stringify(value ?? null, plain) ?? "null");
  return { ...(message as object), [key]: replaced((message as Record<string, unknown>)[key], rest, value) };
}
