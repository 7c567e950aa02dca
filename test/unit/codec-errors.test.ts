import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeError, ErrorRegistry, encodeError } from "../../src/job/codec/index.js";
import * as own from "../../src/job/errors.js";
import { CODECS, codecOf, roundTrip } from "./codec-values.js";

class PaymentError extends Error {
  constructor(
    readonly reason: string,
    readonly at = new Date(0),
  ) {
    super(`refused: ${reason}`);
  }
  describe() {
    return `because of ${this.reason}`;
  }
}

const caught = (run: () => unknown): unknown => {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
};

describe.each(CODECS)("errors over %s", (name) => {
  const send = (error: unknown, errors = new ErrorRegistry()): Error => {
    const codec = codecOf(name);
    const [data] = codec.decode(codec.encode([encodeError(error)])) as [unknown];
    return decodeError(data, errors);
  };

  it("come back as standard errors, with message, stack, cause, code and own properties", () => {
    const error = Object.assign(new RangeError("too far", { cause: new TypeError("no") }), {
      code: "E_FAR",
      limit: 5n,
    });
    const back = send(error);
    expect(back).toBeInstanceOf(RangeError);
    expect(back).toMatchObject({
      name: "RangeError",
      message: "too far",
      stack: error.stack,
      code: "E_FAR",
      limit: 5n,
    });
    expect(back.cause).toBeInstanceOf(TypeError);
    expect(Object.keys(back).sort()).toEqual(["code", "limit"]);
  });

  it("come back from Node's own with what they say", () => {
    const missing = send(caught(() => readFileSync("/does/not/exist")));
    expect(missing).toMatchObject({ name: "Error", code: "ENOENT", syscall: "open", path: "/does/not/exist" });
    expect(missing.constructor).toBe(Error);
    const invalid = send(caught(() => Buffer.from(5 as unknown as string)));
    expect(invalid).toBeInstanceOf(TypeError);
    expect(invalid).toMatchObject({ name: "TypeError", code: "ERR_INVALID_ARG_TYPE" });
  });

  it("come back as an AggregateError with its errors", () => {
    const back = send(new AggregateError([new TypeError("a"), "b"], "both"));
    expect(back).toBeInstanceOf(AggregateError);
    expect((back as AggregateError).errors).toEqual([new TypeError("a"), "b"]);
    expect(Object.keys(back)).toEqual([]);
  });

  it("come back as a DOMException", () => {
    const back = send(caught(() => AbortSignal.abort().throwIfAborted()));
    expect(back).toBeInstanceOf(DOMException);
    expect(back).toMatchObject({ name: "AbortError", message: "This operation was aborted" });
  });

  it("come back as a registered class, without calling its constructor", () => {
    const errors = new ErrorRegistry();
    errors.register(PaymentError);
    const error = new PaymentError("no funds", new Date(7));
    const back = send(error, errors);
    expect(back).toBeInstanceOf(PaymentError);
    expect((back as PaymentError).describe()).toBe("because of no funds");
    expect(back).toMatchObject({
      message: "refused: no funds",
      reason: "no funds",
      at: new Date(7),
      stack: error.stack,
    });
  });

  it("come back as a registered class by its own revive, or as a RemoteError where that fails", () => {
    const errors = new ErrorRegistry();
    errors.register(PaymentError, ({ data }) => new PaymentError(String(data?.reason).toUpperCase()));
    expect(send(new PaymentError("x"), errors)).toMatchObject({
      reason: "X",
      stack: expect.stringContaining("refused: x"),
    });
    const failing = new ErrorRegistry();
    failing.register(PaymentError, () => {
      throw new Error("cannot");
    });
    expect(send(new PaymentError("x"), failing)).toBeInstanceOf(own.RemoteError);
  });

  it("come back from a revive that freezes, and as a RemoteError from one that answers no error", () => {
    const freezing = new ErrorRegistry();
    freezing.register(PaymentError, () => Object.freeze(new PaymentError("frozen")));
    expect(send(new PaymentError("x"), freezing)).toMatchObject({ reason: "frozen" });
    const wrong = new ErrorRegistry();
    wrong.register(PaymentError, () => ({}) as PaymentError);
    expect(send(new PaymentError("x"), wrong)).toBeInstanceOf(own.RemoteError);
  });

  it("come back as a registered class whatever its instances call themselves", () => {
    const errors = new ErrorRegistry();
    class Custom extends Error {
      override name = "E_CUSTOM";
    }
    errors.register(Custom);
    const back = send(new Custom("x"), errors);
    expect(back).toBeInstanceOf(Custom);
    expect(back.name).toBe("E_CUSTOM");
  });

  it("come back as a RemoteError with everything where the class is not registered", () => {
    const error = Object.assign(new PaymentError("x"), { code: 402 });
    const back = send(error);
    expect(back).toBeInstanceOf(own.RemoteError);
    expect(back).toMatchObject({ name: "PaymentError", message: "refused: x", stack: error.stack });
    expect((back as own.RemoteError).data).toEqual({ reason: "x", at: new Date(0), code: 402 });
    const again = send(back);
    expect(again).toBeInstanceOf(own.RemoteError);
    expect(again).toMatchObject({ name: "PaymentError", data: { reason: "x", code: 402 }, stack: error.stack });
  });

  it.each([
    new own.BrokerError("b", { outcome: "unknown", cause: new TypeError("c") }),
    new own.CancelledError(),
    new own.ConfigError("c"),
    new own.ExpiredError(),
    new own.LeaseLostError(),
    new own.MissingDependencyError("m"),
    new own.NoResultError("n"),
    new own.ShutdownError(),
    new own.TimeoutError("t"),
    new own.UnknownTaskError("u"),
    new own.UnreadableError("u"),
    new own.UnsupportedError("u"),
    new own.ValidationError("v", [{ message: "no", path: "0.a" }]),
  ])("come back as taskwright's own: $name", (error) => {
    const back = send(error) as own.TaskwrightError;
    expect(back.constructor).toBe(error.constructor);
    expect(back).toEqual(error);
    expect(back).toMatchObject({
      code: error.code,
      retryable: error.retryable,
      outcome: error.outcome,
      stack: error.stack,
    });
  });

  it("are not taken for taskwright's own because they share a name or a code", () => {
    const error = Object.assign(new Error("mine"), { name: "TimeoutError", code: "timeout" });
    const back = send(error);
    expect(back.constructor).toBe(Error);
    expect(back).toMatchObject({ name: "TimeoutError", code: "timeout" });
    class CustomTimeout extends own.TimeoutError {}
    expect(send(new CustomTimeout("x"))).toMatchObject({ code: "remote", name: "CustomTimeout" });
  });

  it.each<[unknown, string]>([
    ["just text", "just text"],
    [null, "null was thrown, which is not an Error"],
    [undefined, "undefined was thrown, which is not an Error"],
    [Number.NaN, "NaN was thrown, which is not an Error"],
    [{ message: "almost", status: 500 }, "almost"],
    [{ status: 500 }, "an object was thrown, which is not an Error"],
    [[1], "an array was thrown, which is not an Error"],
  ])("say what was thrown instead of an error: %j", (value, message) => {
    const back = send(value);
    expect(back).toBeInstanceOf(own.RemoteError);
    expect(back).toMatchObject({ name: "NonError", message });
    expect((back as own.RemoteError).data).toStrictEqual({ value });
    expect(send(new Error("outer", { cause: value })).cause).toStrictEqual(value === undefined ? undefined : value);
  });

  it("lose only those properties that cannot be sent", () => {
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const error = Object.assign(new Error("request failed"), {
      status: 500,
      nothing: undefined,
      config: { transform: () => 1 },
      socket: circular,
      retry: () => 1,
      nested: { reason: new TypeError("inner") },
    });
    Object.defineProperty(error, "trap", {
      enumerable: true,
      get() {
        throw new Error("trapped");
      },
    });
    const back = send(error);
    expect(Object.keys(back)).toEqual(["status", "nested"]);
    expect(back).toMatchObject({ status: 500, nested: { reason: new TypeError("inner") } });
  });

  it("end where they go round in circles", () => {
    const first = Object.assign(new Error("first"), { again: undefined as unknown, list: [] as unknown[] });
    const second = new Error("second", { cause: first });
    first.cause = second;
    first.again = first;
    first.list = [first, second];
    const back = send(first);
    expect(back.cause).toMatchObject({ message: "second" });
    expect((back.cause as Error).cause).toBeUndefined();
    expect(back).toMatchObject({ again: { message: "first" } });
  });

  it("keep eight causes and drop the rest", () => {
    let error = new Error("0");
    for (let count = 1; count < 50; count++) error = new Error(String(count), { cause: error });
    let depth = 0;
    for (let at: unknown = send(error); at instanceof Error; at = at.cause) depth++;
    expect(depth).toBe(9);
  });

  it("are sent however deep they hold other errors, the deepest by name and message", () => {
    let error: Error = Object.assign(new RangeError("innermost"), { lost: 1 });
    for (let count = 0; count < 400; count++) error = Object.assign(new Error(String(count)), { inner: error });
    let depth = 0;
    let at: unknown = send(error);
    for (; at instanceof Error && "inner" in at; at = at.inner) depth++;
    expect(depth).toBe(9);
    expect(at).toMatchObject({ message: "390" });
  });

  it("keep a property named __proto__ from becoming a prototype", () => {
    const error = new Error("x");
    Object.defineProperty(error, "__proto__", { value: { polluted: 1 }, enumerable: true });
    const { data } = encodeError(Object.assign(error, { status: 1 }));
    expect(data).toEqual({ status: 1 });
    expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
  });

  it("end soon where many contain each other", () => {
    const errors = Array.from({ length: 12 }, (_, index) =>
      Object.assign(new Error(String(index)), { others: [] as Error[] }),
    );
    for (const error of errors) error.others = errors.slice(0, 2);
    expect(send(errors[0])).toMatchObject({ message: "0" });
  });

  it("are values like any other: as arguments, in maps, among error properties", () => {
    const errors = new ErrorRegistry();
    errors.register(PaymentError);
    const [[error], map] = roundTrip(
      name,
      [[new PaymentError("x")], new Map([[1, new URIError("u")]])] as const,
      undefined,
      errors,
    );
    expect(error).toBeInstanceOf(PaymentError);
    expect(map.get(1)).toBeInstanceOf(URIError);
  });

  it("survive hostile getters and odd fields", () => {
    const hostile = new Proxy(new Error("x"), {
      get(target, key) {
        if (key === "message" || key === "name") throw new Error("trapped");
        return Reflect.get(target, key);
      },
    });
    expect(send(hostile)).toBeInstanceOf(Error);
    expect(send(Object.assign(new Error("x"), { name: 5, message: {}, stack: 7 }))).toBeInstanceOf(Error);
  });

  it("cut a stack of more than 32,768 characters", () => {
    const error = new Error("x".repeat(100_000));
    const back = send(error);
    expect(back.message).toHaveLength(100_000);
    expect(back.stack?.length).toBe(32_768);
  });

  it("are made from anything, without an exception and without touching any prototype", () => {
    const errors = new ErrorRegistry();
    errors.register(PaymentError);
    const field = fc.oneof(
      fc.anything(),
      fc.constantFrom(
        "PaymentError",
        "TypeError",
        "taskwright",
        "constructor",
        "__proto__",
        "DOMException",
        "validation",
        "remote",
      ),
    );
    const fields = { name: field, message: field, stack: field, cause: field, data: field, code: field, type: field };
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.record(fields, { requiredKeys: [] })), (data) => {
        const error = decodeError(data, errors);
        expect(error).toBeInstanceOf(Error);
        expect(typeof error.stack).toBe("string");
      }),
      { numRuns: 1000 },
    );
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(Object.keys(Error.prototype)).toEqual([]);
  });

  it("cannot have their workings replaced by data", () => {
    const data = JSON.parse(
      '{"name":"Error","message":"m","data":{"__proto__":{"x":1},"constructor":1,"message":"other","stack":"s","cause":1,"ok":1}}',
    );
    const error = decodeError(data, new ErrorRegistry());
    expect(error.message).toBe("m");
    expect(error.constructor).toBe(Error);
    expect(Object.getPrototypeOf(error)).toBe(Error.prototype);
    expect(Object.keys(error)).toEqual(["ok"]);
  });
});

describe("ErrorRegistry", () => {
  it("takes a class again, and refuses another of the same name or one without", () => {
    const errors = new ErrorRegistry();
    errors.register(PaymentError);
    errors.register(PaymentError);
    const Other = { PaymentError: class PaymentError extends Error {} }.PaymentError;
    expect(() => errors.register(Other)).toThrow(own.ConfigError);
    expect(() => errors.register((() => class extends Error {})())).toThrow(own.ConfigError);
  });
});
