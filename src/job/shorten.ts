import type { Codec, ErrorData } from "./codec/index.js";

/** Own properties of an error that are no longer than this, in encoded bytes, stay when the longer ones go. */
const SHORT_PROPERTY = 1024;
/** What message, stack and names are cut to, in characters, one after the other until the error fits. */
const LENGTHS: readonly number[] = [16_384, 4096, 1024, 256, 64, 16];

/**
 * Makes an error's description fit. What explains least goes first: long properties of its own, of which a note says how
 * long they were; then all of them and the causes; then the ends of stack and message.
 *
 * @param most - Encoded bytes. Below about 200 the last resort may still be longer.
 */
export function shortenError(error: ErrorData, most: number, codec: Codec): ErrorData {
  let shortest = error;
  for (const candidate of everShorter(error, codec)) {
    shortest = candidate;
    if (codec.encode([candidate]).length <= most) break;
  }
  return shortest;
}

function* everShorter(error: ErrorData, codec: Codec): Generator<ErrorData> {
  yield error;
  yield withShortProperties(error, codec);
  for (const length of LENGTHS) yield cut(error, length);
}

function withShortProperties({ data, cause, ...rest }: ErrorData, codec: Codec): ErrorData {
  return {
    ...rest,
    ...(data !== undefined && { data: shortProperties(data, codec) }),
    ...(cause !== undefined && { cause: withShortProperties(cause, codec) }),
  };
}

function shortProperties(data: Readonly<Record<string, unknown>>, codec: Codec): Record<string, unknown> {
  const kept = Object.entries(data).map(([key, value]) => {
    const bytes = codec.encode([value]).length;
    return [key, bytes <= SHORT_PROPERTY ? value : `(${bytes.toLocaleString("en")} bytes, left out)`];
  });
  return Object.fromEntries(kept);
}

function cut({ name, message, stack, code, type }: ErrorData, length: number): ErrorData {
  return {
    name: name.slice(0, length),
    message: message.slice(0, length),
    ...(stack !== undefined && { stack: stack.slice(0, length) }),
    ...(code !== undefined && { code: typeof code === "string" ? code.slice(0, length) : code }),
    ...(type !== undefined && { type: type.slice(0, length) }),
  };
}
