import fc from "fast-check";
import { type CodecName, createCodec, ErrorRegistry, TypeRegistry } from "../../src/job/codec/index.js";

export const CODECS: readonly CodecName[] = ["msgpack", "json"];

export const codecOf = (name: CodecName, types = new TypeRegistry(), errors = new ErrorRegistry()) =>
  createCodec(name, types, errors);

/** What a body that went through a codec comes out as. */
export const roundTrip = <T>(name: CodecName, value: T, types?: TypeRegistry, errors?: ErrorRegistry): T => {
  const codec = codecOf(name, types, errors);
  return codec.decode(codec.encode(value)) as T;
};

/** Every kind of value that arrives as it was sent, nested in every way. */
export function sendableValues(): fc.Arbitrary<unknown> {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string(),
    lowLevelText(),
    fc.constantFrom("$type", "value", "\ufeffbom"),
  );
  const key = fc.oneof(
    text,
    fc.constantFrom("$type", "__proto__", "constructor", "toString", "hasOwnProperty", "toJSON", "0"),
  );
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.oneof(
        fc.integer(),
        fc.double(),
        fc.maxSafeInteger(),
        fc.constantFrom(-0, 2 ** 31, 2 ** 32, -(2 ** 31), 2 ** 53),
      ),
      text,
      fc.constantFrom(null, undefined, true, false),
      fc.oneof(
        fc.bigInt(),
        fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
        fc.bigInt({ min: 2n ** 255n, max: 2n ** 900n }),
      ),
      fc.date({ noInvalidDate: true }),
      fc.date({ noInvalidDate: true, min: new Date("1969-01-01"), max: new Date("2110-01-01") }),
      fc.oneof(
        fc.uint8Array(),
        fc.float64Array({ noNaN: true }),
        fc.int16Array(),
        fc.bigUint64Array(),
        fc.uint8ClampedArray(),
      ),
      fc.uint8Array().map((bytes) => new DataView(bytes.slice().buffer)),
      fc.uint8Array().map((bytes) => bytes.slice().buffer),
      fc.webUrl({ withFragments: true, withQueryParameters: true }).map((url) => new URL(url)),
      fc.constantFrom(/a+/, /[\w/]\n"/giu, /(?<year>\d{4})/y),
      fc.array(tie("value")),
      fc.dictionary(key, tie("value"), { noNullPrototype: true }),
      fc.array(fc.tuple(tie("value"), tie("value"))).map((entries) => new Map(entries)),
      fc.array(tie("value")).map((items) => new Set(items)),
    ),
  }));
  return value;
}

/** Half surrogate pairs included. */
function lowLevelText(): fc.Arbitrary<string> {
  return fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 80 }).map((units) => String.fromCharCode(...units));
}
