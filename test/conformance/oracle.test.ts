import { describe, expect, it } from "vitest";
import type { Entry, What } from "../../src/conformance/worker/ledger.js";
import { audit } from "../../src/conformance/worker/oracle.js";
import type { Exit } from "../../src/conformance/worker/worker-process.js";

const LEASE = 1000;

/** A line of the ledger: what, when, and which run. */
function line(what: What, at: number, { id = "a", attempt = 1, pid = 1 } = {}): Entry {
  return { what, id, attempt, pid, at };
}

/** A run that began and ended well. */
function run(at: number, fields: { id?: string; attempt?: number; pid?: number } = {}): Entry[] {
  return [line("started", at, fields), line("ended", at + 10, fields), line("completed", at + 12, fields)];
}

const KILLED: ReadonlyMap<number, Exit> = new Map([[1, { code: null, signal: "SIGKILL", at: 50 }]]);

function audited(
  entries: readonly Entry[],
  { acknowledged = ["a"], exits = new Map<number, Exit>() as typeof KILLED, copies = false } = {},
) {
  return () => audit({ acknowledged, entries, exits, lease: LEASE, copies });
}

describe("the oracle of the worker suite", () => {
  it("accepts one run of each job, and counts nothing as repeated", () => {
    expect(audited([...run(0), ...run(5, { id: "b" })], { acknowledged: ["a", "b"] })().repeated).toBe(0);
  });

  it("accepts a second run after a loss, a failure or a release", () => {
    const second = run(LEASE + 100, { attempt: 2, pid: 2 });
    expect(audited([line("started", 0), ...second], { exits: KILLED })().repeated).toBe(1);
    expect(audited([line("started", 0), line("lost", LEASE + 200), ...second])().repeated).toBe(1);
    expect(audited([line("started", 0), line("failed", 9), ...run(10, { attempt: 2 })])().repeated).toBe(0);
    expect(audited([line("started", 0), line("released", 9), ...run(10, { pid: 2 })])().repeated).toBe(0);
  });

  it("accepts a copy that a killed process left, where jobs are moved in two steps, and counts it as repeated", () => {
    const twice = [...run(0), ...run(100, { attempt: 2, pid: 2 })];
    expect(audited(twice, { exits: KILLED, copies: true })().repeated).toBe(1);
    expect(audited(twice, { copies: true })).toThrow(/1 unexplained/);
    expect(audited([...run(0), ...run(20, { attempt: 2, pid: 2 })], { exits: KILLED, copies: true })).toThrow(/1 unex/);
  });

  it("finds an acknowledged job that never ran", () => {
    expect(audited(run(0), { acknowledged: ["a", "b"] })).toThrow(/1 lost/);
  });

  it("finds a run of a job that nobody enqueued", () => {
    expect(audited([...run(0), ...run(0, { id: "b" })])).toThrow(/1 unexpected/);
  });

  it.each<[string, Entry[], typeof KILLED?]>([
    ["that was over", [...run(0), ...run(LEASE + 100, { attempt: 2 })]],
    ["that was over, although its process died later", [...run(0), ...run(LEASE + 100, { attempt: 2 })], KILLED],
    ["while the first one holds its lease", [line("started", 0), ...run(5, { attempt: 2, pid: 2 }), line("ended", 50)]],
    ["under the same attempt", [line("started", 0), ...run(LEASE + 100, { pid: 2 })], KILLED],
    [
      "uncounted after a release that was counted",
      [line("started", 0), line("released", 5), ...run(9, { attempt: 2 })],
    ],
    ["before the lease of the lost one could pass", [line("started", 0), ...run(60, { attempt: 2, pid: 2 })], KILLED],
    ["before the failed one had ended", [line("started", 0), ...run(5, { attempt: 2, pid: 2 }), line("failed", 8)]],
  ])("finds a second run of a job %s", (_, entries, exits = new Map()) => {
    expect(audited(entries, { exits })).toThrow(/1 unexplained/);
  });
});
