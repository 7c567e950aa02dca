import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const JITI = join(ROOT, "node_modules", "jiti", "lib", "jiti-cli.mjs");

let temporary: string;

beforeAll(async () => {
  const build = spawn(process.execPath, [JITI, "scripts/build.ts", "--if-stale"], { cwd: ROOT, stdio: "inherit" });
  const [code] = await once(build, "exit");
  expect(code).toBe(0);
}, 120_000);

beforeEach(async () => {
  temporary = await mkdtemp(join(tmpdir(), "taskwright-e2e-"));
});

afterEach(() => rm(temporary, { recursive: true, force: true }));

interface Started {
  readonly child: ChildProcess;
  /** Everything it wrote so far. */
  output(): string;
  /** Resolves once the output matches. */
  says(pattern: RegExp): Promise<RegExpExecArray>;
  ended: Promise<number | null>;
}

/** Starts the quick start with a temporary folder of its own. */
function startQuickstart(): Started {
  const env = { ...process.env, TMPDIR: temporary };
  const child = spawn(process.execPath, ["examples/quickstart/start.js"], {
    cwd: ROOT,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      child.emit("said");
    });
  }
  const ended = once(child, "close").then(([code]) => code as number | null);
  const says = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const match = pattern.exec(text);
      if (match) return match;
      await Promise.race([
        once(child, "said"),
        ended.then(() => Promise.reject(new Error(`it ended without saying ${pattern}:\n${text}`))),
      ]);
    }
  };
  return { child, output: () => text, says, ended };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("the quick start", () => {
  it("does real work, shows a retry and a dead letter, and leaves nothing behind", { timeout: 60_000 }, async () => {
    const run = startQuickstart();
    const worker = Number((await run.says(/worker +process (\d+)/))[1]);
    expect(await run.ended, run.output()).toBe(0);

    const files = Number(/files +(\d+) Markdown files/.exec(run.output())?.[1]);
    expect(files).toBeGreaterThan(50);
    const jobs = files + 2;
    expect(run.output()).toContain(`${jobs} of ${jobs} jobs, 100 %`);
    expect(run.output()).toMatch(new RegExp(`jobs +${jobs}: ${jobs - 1} completed, 1 dead`));
    expect(run.output()).toMatch(new RegExp(`speed +\\d+ jobs/s: ${files} files in [\\d.]+ s`));
    expect(run.output()).toMatch(new RegExp(`attempts +${jobs + 4}, 4 of them retries`));
    expect(run.output()).toMatch(/retried +one job failed twice on purpose and was completed in attempt 3/);
    expect(run.output()).toMatch(/dead +markdown\.analyse\(".*unreadable\.md"\): failed after 3 attempts, EISDIR/);
    expect(run.output()).toMatch(/words +of five letters and more: (\p{L}+ \(\d+\)(, )?){10}\n/u);

    expect(await readdir(temporary)).toEqual([]);
    expect(isAlive(worker)).toBe(false);
  });

  it("cleans up after Ctrl+C", { timeout: 60_000 }, async () => {
    const run = startQuickstart();
    const worker = Number((await run.says(/worker +process (\d+)/))[1]);
    run.child.kill("SIGINT");
    expect(await run.ended, run.output()).toBe(130);
    expect(run.output()).toContain("interrupted");
    expect(await readdir(temporary)).toEqual([]);
    expect(isAlive(worker)).toBe(false);
  });
});
