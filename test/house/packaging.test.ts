import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT } from "./sources.js";

interface Lockfile {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

interface LockedPackage {
  readonly resolved?: string;
  readonly hasInstallScript?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
  readonly bin: Readonly<Record<string, string>>;
  readonly allowScripts: Readonly<Record<string, boolean>>;
}

const read = (name: string): unknown => JSON.parse(readFileSync(join(ROOT, name), "utf8"));
const manifest = read("package.json") as Manifest;
const lockfile = read("package-lock.json") as Lockfile;
const locked = Object.entries(lockfile.packages);

describe("package.json", () => {
  it("exports only what src/ has", () => {
    const targets = Object.values(manifest.exports).flatMap((entry) =>
      typeof entry === "string" ? [] : [entry.default],
    );
    const sources = [...targets, ...Object.values(manifest.bin)].map((target) =>
      target.replace("./dist/", "src/").replace(/\.js$/, ".ts"),
    );
    expect(sources.length).toBeGreaterThan(4);
    expect(sources.filter((source) => !existsSync(join(ROOT, source)))).toEqual([]);
  });

  it("says of every package with an install script whether it may run", () => {
    const names = locked
      .filter(([, one]) => one.hasInstallScript)
      .map(([path]) => path.replace(/^.*node_modules\//, ""));
    expect(names.filter((name) => !(name in manifest.allowScripts))).toEqual([]);
  });
});

describe("package-lock.json", () => {
  it("names no registry", () => {
    expect(locked.filter(([, one]) => one.resolved !== undefined).map(([path]) => path)).toEqual([]);
  });

  it("has the optional packages of every platform, so that npm ci works on all", () => {
    const missing = locked.flatMap(([path, one]) =>
      Object.keys(one.optionalDependencies ?? {}).filter(
        (name) =>
          !(`node_modules/${name}` in lockfile.packages) && !(`${path}/node_modules/${name}` in lockfile.packages),
      ),
    );
    expect(missing).toEqual([]);
  });
});
