import { join } from "node:path";
import ts from "typescript";
import type { Block } from "./example-blocks.js";
import { ROOT } from "./sources.js";
import { STAGE } from "./stage.js";

const API = "src/index.ts";

/** A virtual file that gives every example its stage. */
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
  const library = ts.createProgram([API, ...blocks.flatMap(({ source }) => source ?? [])].map(absolute), options);
  const groups = [...new Set(blocks.map((block) => block.group))];
  const virtuals = blocks.map((block, index) => wrap(block, groups.indexOf(block.group), index, library));
  const files = new Map(virtuals.map((virtual) => [virtual.file, virtual.code]));
  files.set(STAGE_FILE, STAGE);
  const program = ts.createProgram([...files.keys()], options, overlay(options, files), library);
  return virtuals.flatMap((virtual) => complaints(program, virtual));
}

function compilerOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(ROOT, "tsconfig.json"), ts.sys.readFile);
  const parsed = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  return { ...parsed.options, noUnusedLocals: false, noUnusedParameters: false, noEmit: true };
}

function absolute(path: string): string {
  return join(ROOT, path);
}

/** Imports for a block what it uses and does not declare: what its own file exports, else the public API. */
function wrap(block: Block, group: number, index: number, library: ts.Program): Virtual {
  const file = join(ROOT, ".examples", String(group), block.name ?? `block-${index}.ts`);
  const source = block.source ?? API;
  const { used, declared } = names(block.code);
  const missing = [...used].filter((name) => !declared.has(name));
  const own = exportsOf(source, library);
  const api = exportsOf(API, library);
  const fromApi = missing.filter((name) => api.has(name) && !own.has(name));
  const head = [
    importLine(missing, own, `../../${source.replace(/\.ts$/, ".js")}`),
    importLine(fromApi, api, "taskwright"),
  ];
  return { block, file, code: [...head, block.code].join("\n"), shift: head.length };
}

function importLine(wanted: readonly string[], exported: ReadonlyMap<string, string>, from: string): string {
  return `import { ${wanted.flatMap((name) => exported.get(name) ?? []).join(", ")} } from "${from}";`;
}

/** The names that a file exports, each as one imports it: `type X` where it is only a type. */
function exportsOf(path: string, library: ts.Program): ReadonlyMap<string, string> {
  const checker = library.getTypeChecker();
  const file = library.getSourceFile(absolute(path));
  const symbol = file && checker.getSymbolAtLocation(file);
  if (!symbol) throw new Error(`${path} is missing or exports nothing`);
  return new Map(checker.getExportsOfModule(symbol).map((one) => [one.name, importedAs(one, checker)]));
}

function importedAs(symbol: ts.Symbol, checker: ts.TypeChecker): string {
  const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0;
  const target = isAlias ? checker.getAliasedSymbol(symbol) : symbol;
  const isErased = symbol.declarations?.some((one) => ts.isExportSpecifier(one) && isTypeExport(one)) ?? false;
  return isErased || (target.flags & ts.SymbolFlags.Value) === 0 ? `type ${symbol.name}` : symbol.name;
}

function isTypeExport(specifier: ts.ExportSpecifier): boolean {
  return specifier.isTypeOnly || specifier.parent.parent.isTypeOnly;
}

/** The identifiers of an example that refer to something, and those it declares or imports. */
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
