import { builtinModules } from "node:module";
import { describe, expect, it } from "vitest";
import { findCycle, type Import, type Module, parseImports, readModules, staticReach } from "./sources.js";

const modules = readModules("src");

/** The one place in the core that names drivers: it maps URL schemes to `import()`s. */
const REGISTRY = "src/drivers/index.ts";

/** What the lower floors may use of the house besides their own folder. The two files of `config/` import nothing. */
const FOUNDATION = [/^src\/contracts\//, /^src\/job\//, /^src\/config\/(nearest|mask)\.ts$/];

/** Lists `file -> import` for each import that `from` may not have. */
function offences(from: (path: string) => boolean, allowed: (one: Import, module: Module) => boolean): string[] {
  return modules
    .filter((module) => from(module.path))
    .flatMap((module) =>
      module.imports.filter((one) => !allowed(one, module)).map((one) => `${module.path} -> ${one.target}`),
    );
}

/** Of `job/`, what stands on the core: the handle that users get, and the check of arguments against a task's schemas. */
const JOB_OVER_CORE = ["src/job/arguments.ts", "src/job/handle.ts"];

const isFoundation = (path: string) => FOUNDATION.some((open) => open.test(path)) && !JOB_OVER_CORE.includes(path);

/** What several drivers need: not a driver. */
const COMMON = "src/drivers/common/";

const isOurs = (one: Import) => one.target.startsWith("src/");

/** `src/drivers/sqlite/x.ts` gives `src/drivers/sqlite/`; undefined elsewhere. */
function driverFolder(path: string): string | undefined {
  return /^src\/drivers\/[^/]+\//.exec(path)?.[0];
}

describe("the direction of dependencies", () => {
  it("contracts know nothing but contracts", () => {
    const allowed = (one: Import) => one.target.startsWith("src/contracts/");
    expect(offences((path) => path.startsWith("src/contracts/"), allowed)).toEqual([]);
  });

  it("job data knows only contracts", () => {
    const allowed = (one: Import) => !isOurs(one) || isFoundation(one.target);
    expect(offences((path) => path.startsWith("src/job/") && isFoundation(path), allowed)).toEqual([]);
  });

  it("a driver knows only contracts, job data, itself and what drivers have in common", () => {
    const allowed = (one: Import, module: Module) =>
      !isOurs(one) ||
      [COMMON, driverFolder(module.path)].includes(driverFolder(one.target)) ||
      isFoundation(one.target);
    expect(offences((path) => driverFolder(path) !== undefined, allowed)).toEqual([]);
  });

  it("the core knows no driver, except the registry, which loads them lazily", () => {
    const isCore = (path: string) => driverFolder(path) === undefined && !/^src\/(testing|conformance)\//.test(path);
    const allowed = (one: Import, module: Module) =>
      driverFolder(one.target) === undefined || (module.path === REGISTRY && one.kind !== "value");
    expect(offences(isCore, allowed)).toEqual([]);
  });

  it("the command line looks at jobs through inspect/, not through a driver's contracts", () => {
    const allowed = (one: Import) => !/^src\/(contracts\/(inspector|broker|backend)|drivers\/)/.test(one.target);
    expect(offences((path) => path.startsWith("src/cli/"), allowed)).toEqual([]);
  });

  it("only the command line knows the command line", () => {
    expect(
      offences(
        (path) => !path.startsWith("src/cli/"),
        (one) => !one.target.startsWith("src/cli/"),
      ),
    ).toEqual([]);
  });

  it("every import of our own leads to a file", () => {
    const known = new Set(modules.map((module) => module.path));
    expect(
      offences(
        () => true,
        (one) => !isOurs(one) || known.has(one.target) || one.target.endsWith(".json"),
      ),
    ).toEqual([]);
  });

  it("there are no import cycles", () => {
    expect(findCycle(modules, ["value", "lazy"])).toBeUndefined();
  });
});

describe("what loads with the package", () => {
  const BUILTINS = new Set(builtinModules.flatMap((name) => [name, `node:${name}`]));
  /** Everything else, client libraries above all, must be loaded by whoever needs it, when it is needed. */
  const STATIC_PACKAGES = ["ms", "msgpackr"];
  const isForeign = (name: string) => !BUILTINS.has(name) && !STATIC_PACKAGES.includes(name);

  it("importing the public API loads no driver and no client library", () => {
    const reach = staticReach("src/index.ts", modules);
    expect(reach.modules.length).toBeGreaterThan(10);
    expect(reach.modules.filter((path) => driverFolder(path) !== undefined || path.startsWith("src/cli/"))).toEqual([]);
    expect(reach.packages.filter(isForeign)).toEqual([]);
    expect(reach.packages).not.toContain("node:sqlite");
  });

  it("importing a driver loads no client library", () => {
    const entries = modules.filter((module) => /^src\/drivers\/[^/]+\/index\.ts$/.test(module.path));
    expect(entries.length).toBeGreaterThanOrEqual(2);
    const packages = entries.flatMap((entry) => staticReach(entry.path, modules).packages);
    expect(packages.filter(isForeign)).toEqual([]);
    expect(packages).not.toContain("node:sqlite");
  });
});

describe("size", () => {
  it("no file has more than 400 lines", () => {
    expect(modules.filter((module) => module.lines > 400).map((module) => `${module.path}: ${module.lines}`)).toEqual(
      [],
    );
  });
});

describe("the rules themselves", () => {
  it("see each way to write an import", () => {
    const text = [
      'import { a } from "./a.js";',
      'import type { B } from "../b.js";',
      'export * from "./deep/c.js";',
      'type D = import("./d.js").D;',
      'const e = () => import("ioredis");',
    ].join("\n");
    expect(parseImports("src/job/x.ts", text)).toEqual([
      { kind: "value", target: "src/job/a.ts" },
      { kind: "type", target: "src/b.ts" },
      { kind: "value", target: "src/job/deep/c.ts" },
      { kind: "type", target: "src/job/d.ts" },
      { kind: "lazy", target: "ioredis" },
    ]);
  });

  it("find a cycle", () => {
    const module = (path: string, target: string): Module => ({ path, lines: 1, imports: [{ kind: "value", target }] });
    const ring = [module("a", "b"), module("b", "c"), module("c", "b")];
    expect(findCycle(ring, ["value"])).toEqual(["b", "c", "b"]);
    expect(findCycle(ring, ["type"])).toBeUndefined();
  });
});
