import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** One import as it is written. `value` runs when the module loads, `lazy` is `import()`, `type` is erased. */
export interface Import {
  readonly kind: "value" | "lazy" | "type";
  /** A path from the repository's root for our own modules, such as `src/job/id.ts`; else the package as written. */
  readonly target: string;
}

export interface Module {
  /** From the repository's root, with slashes. */
  readonly path: string;
  readonly lines: number;
  readonly imports: readonly Import[];
}

/** Reads every TypeScript file under a folder of the repository. */
export function readModules(folder: string): Module[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.tsx?$/.test(name) && !name.endsWith(".d.ts"))
    .map((name) => readModule(join(ROOT, folder, name)))
    .sort((a, b) => a.path.localeCompare(b.path));
}

function readModule(file: string): Module {
  const path = relative(ROOT, file).replaceAll("\\", "/");
  const text = readFileSync(file, "utf8");
  return { path, lines: text.split("\n").length - 1, imports: parseImports(path, text) };
}

/** The imports of a module. Under `verbatimModuleSyntax`, only `import type` and `export type` are erased. */
export function parseImports(path: string, text: string): Import[] {
  const imports: Import[] = [];
  const add = (kind: Import["kind"], specifier: string) => imports.push({ kind, target: resolve(path, specifier) });
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      add(node.importClause?.isTypeOnly ? "type" : "value", node.moduleSpecifier.text);
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier)) {
      add(node.isTypeOnly ? "type" : "value", node.moduleSpecifier.text);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      if (ts.isStringLiteral(node.argument.literal)) add("type", node.argument.literal.text);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments;
      if (argument && ts.isStringLiteralLike(argument)) add("lazy", argument.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest));
  return imports;
}

function resolve(from: string, specifier: string): string {
  if (!specifier.startsWith(".")) return specifier;
  return posix.join(dirname(from), specifier).replace(/\.js(x?)$/, ".ts$1");
}

/** The modules reached from `entry` by imports that run when it loads, and the packages these name. */
export function staticReach(entry: string, modules: readonly Module[]): { modules: string[]; packages: string[] } {
  const byPath = new Map(modules.map((module) => [module.path, module]));
  const reached = new Set<string>();
  const packages = new Set<string>();
  const queue = [entry];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    const module = byPath.get(path);
    if (module === undefined) packages.add(path);
    if (module === undefined || reached.has(path)) continue;
    reached.add(path);
    queue.push(...module.imports.filter((one) => one.kind === "value").map((one) => one.target));
  }
  return { modules: [...reached].sort(), packages: [...packages].sort() };
}

/** The first cycle of imports found, as the path around it. `kinds` says which imports count. */
export function findCycle(modules: readonly Module[], kinds: readonly Import["kind"][]): string[] | undefined {
  const byPath = new Map(modules.map((module) => [module.path, module]));
  const done = new Set<string>();
  const walk = (path: string, trail: readonly string[]): string[] | undefined => {
    const start = trail.indexOf(path);
    if (start >= 0) return [...trail.slice(start), path];
    if (done.has(path)) return undefined;
    for (const one of byPath.get(path)?.imports ?? []) {
      const cycle = kinds.includes(one.kind) ? walk(one.target, [...trail, path]) : undefined;
      if (cycle) return cycle;
    }
    done.add(path);
    return undefined;
  };
  for (const module of modules) {
    const cycle = walk(module.path, []);
    if (cycle) return cycle;
  }
  return undefined;
}
