import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { findAny } from "./find-any.js";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = fileURLToPath(new URL("../..", import.meta.url));
const PUBLIC = [
  "index",
  "contracts/index",
  "conformance/index",
  "testing/index",
  "drivers/memory/index",
  "drivers/sqlite/index",
];

const files = readdirSync(here).filter((name) => name.endsWith(".test-d.ts"));
const entries = PUBLIC.map((name) => `${root}src/${name}.ts`);
const program = ts.createProgram([...files.map((name) => `${here}${name}`), ...entries], compilerOptions());

function compilerOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile);
  return ts.parseJsonConfigFileContent(config, ts.sys, root).options;
}

function errorsIn(path: string): string[] {
  const source = program.getSourceFile(path);
  if (source === undefined) return [`${path} is not part of the program`];
  return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map((diagnostic) => {
    const { line } = source.getLineAndCharacterOfPosition(diagnostic.start ?? 0);
    return `line ${line + 1}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n")}`;
  });
}

describe("what must compile does, and what must not does not", () => {
  test.each(files)("%s", (name) => {
    expect(errorsIn(`${here}${name}`)).toEqual([]);
  });

  test("there is something to compile", () => {
    expect(files.length).toBeGreaterThanOrEqual(3);
  });
});

describe("no public type holds `any`", () => {
  test.each(PUBLIC)("%s", (name) => {
    expect(findAny(program, `${root}src/${name}.ts`, `${root}src/`)).toEqual([]);
  });

  test("the search finds one where there is one", () => {
    const name = "/with-any.ts";
    const source =
      "export interface Fine { readonly a: string } export class Has { method(fine: Fine): Map<string, any> { return new Map(); } }";
    const host = ts.createCompilerHost({});
    const { getSourceFile } = host;
    host.getSourceFile = (path, ...rest) =>
      path === name ? ts.createSourceFile(path, source, ts.ScriptTarget.ES2022) : getSourceFile(path, ...rest);
    const small = ts.createProgram([name], { target: ts.ScriptTarget.ES2022 }, host);
    expect(findAny(small, name, "/with-any")).toEqual(["Has.method()<1>"]);
  });
});
