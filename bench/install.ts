import { stat } from "node:fs/promises";
import { join } from "node:path";
import { mustRun } from "../scripts/shell.js";
import { requireCelery } from "../test/celery/python.js";
import type { Peer } from "./contestant.js";
import { BENCH } from "./paths.js";

/** Makes sure that the peers are there. */
export async function installPeers(peers: readonly Peer[], tell: (line: string) => void): Promise<void> {
  if (peers.some(({ name }) => name === "celery")) await requireCelery();
  if (peers.some(({ packages }) => packages.length > 0)) await installPackages(tell);
}

/** Installs the peers under `bench/`, unless what is there is what the lock file says. */
async function installPackages(tell: (line: string) => void): Promise<void> {
  if ((await changedAt("node_modules/.package-lock.json")) >= (await changedAt("package-lock.json"))) return;
  tell("installing the peers under bench/: once, about a minute, since better-sqlite3 may have to be compiled");
  await mustRun("npm", ["ci", "--prefix", BENCH, "--no-audit"]);
}

async function changedAt(name: string): Promise<number> {
  return stat(join(BENCH, name)).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
}
