import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import ts from "typescript";
import { BENCH, COMPILED } from "./paths.js";

/**
 * Compiles this folder, so that what is measured runs in a plain Node, without a loader. Types are not checked here.
 *
 * @returns the program of the processes.
 */
export async function compile(): Promise<string> {
  const folders = ["", "measures", "peers"];
  const listed = await Promise.all(
    folders.map(async (folder) => (await readdir(join(BENCH, folder))).map((name) => join(folder, name))),
  );
  const sources = listed.flat().filter((name) => name.endsWith(".ts"));
  await Promise.all(sources.map(compileFile));
  return join(COMPILED, "child.js");
}

async function compileFile(name: string): Promise<void> {
  const source = await readFile(join(BENCH, name), "utf8");
  const compilerOptions = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true };
  const { outputText } = ts.transpileModule(source, { compilerOptions, fileName: name });
  const target = join(COMPILED, name.replace(/\.ts$/, ".js"));
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, outputText);
}
