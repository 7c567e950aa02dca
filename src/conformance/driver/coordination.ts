import assert from "node:assert/strict";
import type { Coordinator, PutOptions } from "../../contracts/coordinator.js";
import type { CaseGroup } from "./case.js";
import { bytes, type CaseContext, sameBytes } from "./context.js";

const VALUE = bytes("a value");

export const coordination: CaseGroup = {
  name: "coordination",
  contracts: ["coordinator"],
  cases: [
    {
      name: "keeps a value under its key until it is removed",
      async run({ coordinator }) {
        assert.equal(await coordinator.get("k"), undefined);
        assert.equal(await coordinator.put("k", VALUE), true);
        const entry = await coordinator.get("k");
        assert.equal(entry?.key, "k");
        sameBytes(entry?.value, VALUE);
        assert.equal(await coordinator.remove("k"), true);
        assert.equal(await coordinator.remove("k"), false);
        assert.equal(await coordinator.get("k"), undefined);
      },
    },
    {
      name: "numbers the writes of a key, from above 0",
      async run({ coordinator }) {
        let last = 0;
        for (let write = 0; write < 3; write++) {
          await coordinator.put("k", bytes(`${write}`));
          const version = (await coordinator.get("k"))?.version ?? 0;
          assert.ok(version > last, `${version} follows ${last}`);
          last = version;
        }
      },
    },
    {
      name: "writes with `ifVersion` only over that version, and 0 means none",
      async run({ coordinator }) {
        const put = (value: string, ifVersion: number) => coordinator.put("k", bytes(value), { ifVersion });
        assert.equal(await put("first", 0), true);
        assert.equal(await put("second", 0), false);
        const { version = 0 } = (await coordinator.get("k")) ?? {};
        assert.equal(await put("second", version), true);
        assert.equal(await put("third", version), false);
        sameBytes((await coordinator.get("k"))?.value, bytes("second"));
        await coordinator.remove("k");
        assert.equal(await put("fourth", version), false);
        assert.equal(await put("fourth", 0), true);
      },
    },
    {
      name: "never repeats a version of a key, also when it was removed in between",
      async run({ coordinator }) {
        await coordinator.put("k", VALUE);
        const { version = 0 } = (await coordinator.get("k")) ?? {};
        await coordinator.remove("k");
        await coordinator.put("k", VALUE);
        assert.equal(await coordinator.put("k", VALUE, { ifVersion: version }), false);
      },
    },
    {
      name: "lets one of many win a version",
      async run(c) {
        const coordinators = await twoCoordinators(c);
        const attempts = Array.from({ length: 20 }, (_, index) =>
          pick(coordinators, index).put("lock", bytes(`${index}`), { ifVersion: 0 }),
        );
        const won = await Promise.all(attempts);
        assert.equal(won.filter(Boolean).length, 1);
        sameBytes((await c.coordinator.get("lock"))?.value, bytes(`${won.indexOf(true)}`));
      },
    },
    {
      name: "forgets a value after its ttl, and a new write renews it",
      async run(c) {
        const put = (key: string, options: PutOptions) => c.coordinator.put(key, VALUE, options);
        await put("short", { ttl: 2 * c.unit });
        await put("renewed", { ttl: 2 * c.unit });
        await put("endless", {});
        await c.advance(c.unit);
        await put("renewed", { ttl: 4 * c.unit });
        await c.advance(2 * c.unit);
        const present = await c.coordinator.list("");
        assert.deepEqual(
          present.map((entry) => entry.key),
          ["endless", "renewed"],
        );
        assert.equal(await c.coordinator.get("short"), undefined);
        assert.equal(await c.coordinator.remove("short"), false);
        assert.equal(await put("short", { ifVersion: 0 }), true);
      },
    },
    {
      name: "lists by prefix, in order of keys, with every character taken literally",
      async run({ coordinator }) {
        const keys = ["a%b:2", "a%b:1", "aXb:1", "a_b:1", "a%", "a%b", "b", "A%b:3", "a%b:\u00e9"];
        for (const key of keys) await coordinator.put(key, bytes(key));
        const listed = await coordinator.list("a%b:");
        assert.deepEqual(
          listed.map((entry) => entry.key),
          ["a%b:1", "a%b:2", "a%b:\u00e9"],
        );
        for (const { key, value } of listed) sameBytes(value, bytes(key));
        assert.equal((await coordinator.list("")).length, keys.length);
        assert.deepEqual(await coordinator.list("a_b:2"), []);
      },
    },
    {
      name: "counts from 0, up and down",
      async run({ coordinator }) {
        assert.equal(await coordinator.increment("n", 5), 5);
        assert.equal(await coordinator.increment("n", -2), 3);
        assert.equal(await coordinator.increment("n", 0), 3);
        assert.equal(await coordinator.increment("other", 1), 1);
      },
    },
    {
      name: "counts exactly when many count at once",
      async run(c) {
        const coordinators = await twoCoordinators(c);
        const counts = Array.from({ length: 100 }, (_, index) => pick(coordinators, index).increment("n", 1));
        const answers = await Promise.all(counts);
        assert.deepEqual(
          answers.sort((a, b) => a - b),
          Array.from({ length: 100 }, (_, index) => index + 1),
        );
      },
    },
    {
      name: "starts a counter anew after its ttl",
      async run(c) {
        await c.coordinator.increment("n", 7, 2 * c.unit);
        await c.advance(c.unit);
        assert.equal(await c.coordinator.increment("n", 0), 7);
        await c.advance(2 * c.unit);
        assert.equal(await c.coordinator.increment("n", 1), 1);
      },
    },
    {
      name: "keeps counters and entries apart",
      async run({ coordinator }) {
        await coordinator.increment("k", 1);
        assert.equal(await coordinator.get("k"), undefined);
        assert.deepEqual(await coordinator.list(""), []);
        await coordinator.put("k", VALUE);
        assert.equal(await coordinator.increment("k", 1), 2);
      },
    },
  ],
};

async function twoCoordinators(c: CaseContext): Promise<Coordinator[]> {
  return [c.coordinator, c.part("coordinator", await c.connect())];
}

function pick(coordinators: readonly Coordinator[], index: number): Coordinator {
  const coordinator = coordinators[index % coordinators.length];
  assert.ok(coordinator);
  return coordinator;
}
