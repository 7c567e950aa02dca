import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import type { Block } from "./example-blocks.js";
import { ROOT } from "./sources.js";

/**
 * What examples may use without showing where it comes from, so that each can be about one thing. A name that an example
 * does not import is imported for it from the public API or the file it stands in, and these are declared for it.
 */
const STAGE: Readonly<Record<string, string>> = {
  add: "declare const add: import('taskwright').Task<[a: number, b: number], number>;",
  app: "declare const app: import('taskwright').Taskwright;",
  id: "declare const id: string;",
  job: "declare const job: import('taskwright').Job<number>;",
  signal: "declare const signal: AbortSignal;",
  worker: "declare const worker: import('taskwright').Worker;",
};

/** Packages that examples name but that are not installed here; their values have no types. */
const FOREIGN = ["pino"];

const STAGE_FILE = join(ROOT, ".examples", "stage.d.ts");

interface Virtual {
  readonly block: Block;
  readonly file: string;
  readonly code: string;
  /** Lines put before the example's own. */
  readonly shift: number;
}

/** Type-checks all blocks in one program, and answers the complaints as `origin: message`. */
export function compileBlocks(blocks: readonly Block[]): string[] {
  const options = compilerOptions();
  const exported = publicNames(options);
  const groups = [...new Set(blocks.map((block) => block.group))];
  const virtuals = blocks.map((block, index) => stage(block, groups.indexOf(block.group), index, exported));
  const files = new Map(virtuals.map((virtual) => [virtual.file, virtual.code]));
  files.set(STAGE_FILE, FOREIGN.map((name) => `declare module "${name}";`).join("\n"));
  const program = ts.createProgram([...files.keys()], options, overlay(options, files));
  return virtuals.flatMap((virtual) => complaints(program, virtual));
}

function compilerOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(ROOT, "tsconfig.json"), ts.sys.readFile);
  const parsed = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  return { ...parsed.options, noUnusedLocals: false, noUnusedParameters: false, noEmit: true };
}

/** The names that `import { ... } from "taskwright"` offers. */
function publicNames(options: ts.CompilerOptions): ReadonlySet<string> {
  const entry = join(ROOT, "src", "index.ts");
  const program = ts.createProgram([entry], options);
  const source = program.getSourceFile(entry);
  const symbol = source && program.getTypeChecker().getSymbolAtLocation(source);
  if (!symbol) throw new Error("src/index.ts is missing or exports nothing");
  return new Set(
    program
      .getTypeChecker()
      .getExportsOfModule(symbol)
      .map((one) => one.name),
  );
}

function stage(block: Block, group: number, index: number, exported: ReadonlySet<string>): Virtual {
  const file = join(ROOT, ".examples", String(group), block.name ?? `block-${index}.ts`);
  const { used, declared } = names(block.code);
  const missing = [...used].filter((name) => !declared.has(name));
  const ofFile = block.source === undefined ? new Set<string>() : exportsOf(block.source);
  const here = missing.filter((name) => ofFile.has(name));
  const fromApi = missing.filter((name) => exported.has(name) && !ofFile.has(name) && !(name in STAGE));
  const source = `../../${block.source ?? "src/index.ts"}`.replace(/\.ts$/, ".js");
  const head = [
    `import { ${fromApi.join(", ")} } from "taskwright";`,
    `import { ${here.join(", ")} } from "${source}";`,
    ...missing.filter((name) => !ofFile.has(name)).flatMap((name) => STAGE[name] ?? []),
  ];
  return { block, file, code: [...head, block.code].join("\n"), shift: head.length };
}

/** The names that a source file exports where it declares them. */
function exportsOf(path: string): Set<string> {
  const text = readFileSync(join(ROOT, path), "utf8");
  const exported = /^export (?:declare |abstract |async )*(?:function\*?|class|const|interface|type|enum) (\w+)/gm;
  return new Set([...text.matchAll(exported)].flatMap((match) => match[1] ?? []));
}

/** The identifiers of an example that refer to something, and those it declares or imports at its top. */
function names(code: string): { used: Set<string>; declared: Set<string> } {
  const used = new Set<string>();
  const declared = new Set<string>();
  const visit = (node: ts.Node): void => {
    const { parent } = node;
    const isMember = parent && ts.isPropertyAccessExpression(parent) && parent.name === node;
    if (ts.isIdentifier(node) && !isMember) {
      if (parent && isDeclaration(parent) && parent.name === node) declared.add(node.text);
      else if (!(ts.isPropertyAssignment(parent) && parent.name === node)) used.add(node.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile("example.ts", code, ts.ScriptTarget.Latest, true));
  return { used, declared };
}

function isDeclaration(node: ts.Node): node is ts.Node & { name?: ts.Node } {
  return (
    ts.isVariableDeclaration(node) ||
    ts.isFunctionDeclaration(node) ||
    ts.isClassDeclaration(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    ts.isParameter(node) ||
    ts.isBindingElement(node) ||
    ts.isImportSpecifier(node) ||
    ts.isImportClause(node) ||
    ts.isNamespaceImport(node)
  );
}

/** The real file system with the examples laid over it. */
function overlay(options: ts.CompilerOptions, files: ReadonlyMap<string, string>): ts.CompilerHost {
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile, directoryExists } = host;
  host.fileExists = (path) => files.has(path) || fileExists.call(host, path);
  host.readFile = (path) => files.get(path) ?? readFile.call(host, path);
  host.directoryExists = (path) => path.includes(".examples") || (directoryExists?.call(host, path) ?? true);
  host.getSourceFile = (path, language, ...rest) => {
    const text = files.get(path);
    if (text === undefined) return getSourceFile.call(host, path, language, ...rest);
    const format = typeof language === "object" ? language : { languageVersion: language };
    return ts.createSourceFile(path, text, { ...format, impliedNodeFormat: ts.ModuleKind.ESNext }, true);
  };
  return host;
}

function complaints(program: ts.Program, { block, file, shift }: Virtual): string[] {
  const source = program.getSourceFile(file);
  if (!source) return [`${block.origin}: was not read`];
  const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
  return found.map((one) => {
    const line = source.getLineAndCharacterOfPosition(one.start ?? 0).line - shift + 1;
    return `${block.origin}, line ${line} of the example: ${ts.flattenDiagnosticMessageText(one.messageText, "\n")}`;
  });
}
