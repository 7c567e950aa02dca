import { join } from "node:path";
import { mustRun, ROOT } from "./shell.js";

/** Packs dist/ as it is, as `npm publish` would send it, and answers the tarball's path. */
export async function packageTarball(folder: string): Promise<string> {
  const output = await mustRun("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", folder, ROOT]);
  const answer: unknown = JSON.parse(output.slice(output.search(/^\[/m)));
  const filename = Array.isArray(answer) ? (answer[0] as { filename?: unknown } | undefined)?.filename : undefined;
  if (typeof filename !== "string") throw new Error(`npm pack named no file:\n${output}`);
  return join(folder, filename);
}
