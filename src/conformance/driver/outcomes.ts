import assert from "node:assert/strict";
import type { CaseGroup } from "./case.js";
import { bytes, manyBytes, outcomeOf, sameBytes } from "./context.js";

export const outcomes: CaseGroup = {
  name: "outcomes",
  contracts: ["backend"],
  cases: [
    {
      name: "are read in the order asked for, `undefined` where there is none",
      async run(c) {
        const [a, b] = [c.id(), c.id()];
        await c.backend.store([outcomeOf(a), outcomeOf(b, { state: "dead", attempt: 3 })]);
        const [second, none, first] = await c.backend.read([b, c.id(), a]);
        assert.deepEqual([second?.id, second?.state, second?.attempt], [b, "dead", 3]);
        assert.deepEqual([first?.id, first?.state, first?.attempt], [a, "completed", 1]);
        assert.equal(none, undefined);
        assert.deepEqual(await c.backend.read([]), []);
        await c.backend.store([]);
      },
    },
    {
      name: "return bodies unchanged, from none to as many bytes as the driver takes",
      async run(c) {
        for (const size of c.sizes([0, 1, 256])) {
          const id = c.id();
          await c.backend.store([outcomeOf(id, { body: manyBytes(size) })]);
          const [kept] = await c.backend.read([id]);
          sameBytes(kept?.body, manyBytes(size));
        }
      },
    },
    {
      name: "are gone after their ttl, and stay without one",
      async run(c) {
        const [short, long, endless] = [c.id(), c.id(), c.id()];
        await c.backend.store([
          outcomeOf(short, { ttl: 2 * c.unit }),
          outcomeOf(long, { ttl: 1000 * c.unit }),
          outcomeOf(endless),
        ]);
        const present = async () => (await c.backend.read([short, long, endless])).map((one) => one !== undefined);
        await c.advance(c.unit);
        assert.deepEqual(await present(), [true, true, true]);
        await c.advance(2 * c.unit);
        assert.deepEqual(await present(), [false, true, true]);
      },
    },
    {
      name: "of an older attempt are ignored, those of a newer one replace",
      async run(c) {
        const id = c.id();
        const store = (attempt: number, body: string) =>
          c.backend.store([outcomeOf(id, { attempt, body: bytes(body) })]);
        await store(2, "second");
        await store(1, "first");
        const [second] = await c.backend.read([id]);
        sameBytes(second?.body, bytes("second"));
        await store(3, "third");
        const [third] = await c.backend.read([id]);
        sameBytes(third?.body, bytes("third"));
      },
    },
    {
      name: "can be stored again when an older one has expired, whatever the attempt",
      async run(c) {
        const id = c.id();
        await c.backend.store([outcomeOf(id, { attempt: 5, ttl: c.unit })]);
        await c.advance(2 * c.unit);
        await c.backend.store([outcomeOf(id, { attempt: 1 })]);
        assert.equal((await c.backend.read([id]))[0]?.attempt, 1);
      },
    },
    {
      name: "are forgotten on request, with the job's reports, and counted",
      async run(c) {
        const [a, b, unknown] = [c.id(), c.id(), c.id()];
        await c.backend.store([outcomeOf(a), outcomeOf(b)]);
        await c.backend.report([{ id: a, log: ["a line"], ttl: 1000 * c.unit }]);
        assert.equal(await c.backend.forget([a, unknown, b]), 2);
        assert.deepEqual(await c.backend.read([a, b]), [undefined, undefined]);
        assert.equal(await c.backend.readReport(a), undefined);
        assert.equal(await c.backend.forget([a]), 0);
      },
    },
    {
      name: "that have expired are swept, up to `max`",
      async run(c) {
        const ids = Array.from({ length: 5 }, () => c.id());
        const stays = c.id();
        await c.backend.store([...ids.map((id) => outcomeOf(id, { ttl: c.unit })), outcomeOf(stays)]);
        await c.advance(2 * c.unit);
        const first = await c.backend.sweep(3);
        assert.ok(first <= 3, `swept ${first}, at most 3 were asked for`);
        await c.backend.sweep(100);
        assert.equal(await c.backend.sweep(100), 0);
        assert.equal((await c.backend.read([...ids, stays])).filter((one) => one !== undefined).length, 1);
      },
    },
  ],
};

export const reports: CaseGroup = {
  name: "reports",
  contracts: ["backend"],
  cases: [
    {
      name: "keep the newest progress, count its versions and gather the log",
      async run(c) {
        const id = c.id();
        const ttl = 1000 * c.unit;
        assert.equal(await c.backend.readReport(id), undefined);
        await c.backend.report([
          { id, progress: bytes("10%"), log: ["one"], ttl },
          { id, log: ["two", "three"], ttl },
        ]);
        const first = await c.backend.readReport(id);
        sameBytes(first?.progress, bytes("10%"));
        assert.deepEqual(first?.log, ["one", "two", "three"]);
        await c.backend.report([{ id, progress: bytes("20%"), ttl }]);
        const second = await c.backend.readReport(id);
        sameBytes(second?.progress, bytes("20%"));
        assert.ok((second?.version ?? 0) > (first?.version ?? 0), "the version grows with progress");
        await c.backend.report([{ id, log: ["four"], ttl }]);
        const third = await c.backend.readReport(id);
        assert.deepEqual([third?.version, third?.log.length], [second?.version, 4]);
      },
    },
    {
      name: "of a log only have no progress",
      async run(c) {
        const id = c.id();
        await c.backend.report([{ id, log: ["a line"], ttl: 1000 * c.unit }]);
        const report = await c.backend.readReport(id);
        assert.deepEqual([report?.progress, report?.log], [undefined, ["a line"]]);
      },
    },
    {
      name: "are gone after the ttl of the last one",
      async run(c) {
        const id = c.id();
        const report = () => c.backend.report([{ id, log: ["a line"], ttl: 4 * c.unit }]);
        await report();
        await c.advance(3 * c.unit);
        await report();
        await c.advance(3 * c.unit);
        assert.equal((await c.backend.readReport(id))?.log.length, 2);
        await c.advance(2 * c.unit);
        assert.equal(await c.backend.readReport(id), undefined);
      },
    },
  ],
};
