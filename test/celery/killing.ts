import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Taskwright } from "taskwright";
import { onTestFinished } from "vitest";
import { compiledSources } from "../support/compiled.js";
import { temporaryFolder } from "../support/temporary.js";
import { until } from "../support/until.js";
import { type PythonPlace, PythonWorker } from "./python.js";

const WORKER = fileURLToPath(new URL("./fixtures/worker.js", import.meta.url));

/** Where workers of Node and Python meet to be killed, and the file in which their tasks write lines. */
export interface KillPlace {
  readonly python: PythonPlace;
  /** As our workers write it. */
  readonly broker: string;
  readonly backend: string;
  readonly file: string;
}

/** A place whose file and processes go with the test. */
export async function killPlace(place: Omit<KillPlace, "file">): Promise<KillPlace> {
  const folder = await temporaryFolder();
  onTestFinished(() => folder.remove());
  return { ...place, file: join(folder.path, "lines") };
}

/** A worker of ours in a process of its own, which works when this resolves. */
export async function nodeWorker({ broker, backend }: KillPlace, queues = "celery"): Promise<ChildProcess> {
  const child = spawn(process.execPath, [WORKER, await compiledSources(), broker, backend, queues], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  if (child.stdout === null) throw new Error("no pipe");
  await once(child.stdout, "data");
  return child;
}

export async function pythonWorker({ python }: KillPlace): Promise<PythonWorker> {
  const worker = await PythonWorker.open(python, ["-Q", "celery"]);
  onTestFinished(() => worker.kill());
  return worker;
}

/** A producer in this process. */
export function producer({ python: { broker }, backend }: KillPlace): Taskwright<undefined> {
  const app = new Taskwright({ protocol: "celery", broker, backend });
  onTestFinished(() => app.close());
  return app;
}

export async function linesIn({ file }: KillPlace): Promise<string[]> {
  return (await readFile(file, "utf8")).trim().split("\n");
}

/** Waits for a line. */
export async function lineIn(place: KillPlace, text: string): Promise<void> {
  await until(text, async () => ((await linesIn(place)).includes(text) ? true : undefined));
}
