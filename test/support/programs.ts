import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A program that tests need, and the Debian package that has it. */
export interface Program {
  /** Or its whole path, where it is in no folder of `PATH`. */
  readonly name: string;
  readonly package: string;
  /** Where it may be besides the folders of PATH. */
  folders?(): Promise<readonly string[]>;
}

/**
 * Where a program is. Installs it if it is missing and this process may: it is root, and there is an apt-get.
 *
 * @throws Error that names the package when the program is still missing
 */
export async function findProgram(program: Program): Promise<string> {
  const found = await locate(program);
  if (found !== undefined) return found;
  const why = await install(program.package);
  const installed = await locate(program);
  if (installed !== undefined) return installed;
  throw new Error(`${program.name} is not installed: apt-get install ${program.package}${why}`);
}

async function locate(program: Program): Promise<string | undefined> {
  return inPath(program.name, (await program.folders?.()) ?? []);
}

async function inPath(name: string, others: readonly string[] = []): Promise<string | undefined> {
  const folders = isAbsolute(name) ? [""] : [...(process.env.PATH ?? "").split(delimiter), ...others];
  for (const folder of folders) {
    const path = join(folder, name);
    const runs = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (runs) return path;
  }
  return undefined;
}

/** Installs a Debian package. Answers why it failed, for the end of a message. Fresh containers have no lists of packages, so these come first. */
export async function install(name: string): Promise<string> {
  const apt = await inPath("apt-get");
  if (process.getuid?.() !== 0 || apt === undefined) return "";
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const lock = ["-o", "DPkg::Lock::Timeout=120"];
  try {
    await run(apt, ["update", "-q"], { env }).catch(() => undefined);
    await run(apt, [...lock, "install", "-q", "-y", "--no-install-recommends", ...name.split(" ")], { env });
    return "";
  } catch (error) {
    return ` (which was tried: ${error instanceof Error ? error.message.trim() : String(error)})`;
  }
}

/** Such as "redis-server 7.0.15": what `--version` says first that looks like one. */
export async function versionOf(program: Program): Promise<string> {
  const { stdout } = await run(await findProgram(program), ["--version"]);
  const version = /\d+(\.\d+)+/.exec(stdout)?.[0];
  if (version === undefined) throw new Error(`${program.name} --version says no version: ${stdout.trim()}`);
  return `${program.name} ${version}`;
}
