import { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { gatherWrites } from "../../../src/drivers/rabbitmq/packets.js";

/** A stream that remembers what it was given to send, one text for each time. */
function recorder(): { readonly stream: Writable; readonly sent: string[] } {
  const sent: string[] = [];
  const stream = new Writable({
    highWaterMark: 16 * 1024,
    write(chunk: Buffer, _encoding, done) {
      sent.push(chunk.toString());
      done();
    },
    writev(chunks, done) {
      sent.push(chunks.map(({ chunk }) => String(chunk)).join(""));
      done();
    },
  });
  gatherWrites(stream);
  return { stream, sent };
}

test("what is written in one turn is sent together and in order, the next turn's by itself", async () => {
  const { stream, sent } = recorder();
  for (const frame of ["a", "b", "c"]) stream.write(frame);
  await nextTurn();
  stream.write("d");
  await nextTurn();
  expect(sent).toEqual(["abc", "d"]);
});

test("what was written before the end is sent, and nothing is left to do after it", async () => {
  const { stream, sent } = recorder();
  stream.write("a");
  stream.write("b");
  stream.end();
  await finished(stream);
  await nextTurn();
  expect(sent).toEqual(["ab"]);
});

test("a writer that goes on when told that there is room has its next frames gathered too", async () => {
  const { stream, sent } = recorder();
  const frame = "x".repeat(10_000);
  let left = 6;
  const write = (): void => {
    while (left > 0) {
      left -= 1;
      if (!stream.write(frame)) return;
    }
  };
  stream.on("drain", write);
  write();
  await nextTurn();
  expect(sent.map(({ length }) => length)).toEqual([20_000, 20_000, 20_000]);
});
