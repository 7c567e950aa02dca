import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { ROOT } from "./sources.js";

/** One example as the type checker sees it: a module of its own, somewhere that does not exist. */
export interface Block {
  /** Where it was written, such as `README.md:20`, for messages. */
  readonly origin: string;
  /** Blocks of one group may import each other. */
  readonly group: string;
  /** `tasks.ts`, where the first line says `// tasks.ts`. */
  readonly name: string | undefined;
  readonly code: string;
  /** The source file whose comment it stands in, such as `src/job/id.ts`. */
  readonly source?: string;
}

/** `// not checked: reason` as first line keeps a block from being compiled. */
const NOT_CHECKED = /^\s*\/\/ not checked: \S/;
const FILE_NAME = /^\s*\/\/ ([\w.-]+\.ts)\b/;

function block(origin: string, group: string, code: string): Block[] {
  if (NOT_CHECKED.test(code)) return [];
  return [{ origin, group, name: FILE_NAME.exec(code)?.[1], code }];
}

/** Every ```ts block of a Markdown file. */
export function markdownBlocks(path: string, text: string): Block[] {
  const fences = text.matchAll(/^```ts\b[^\n]*\n(.*?)^```/gms);
  return [...fences].flatMap((fence) => block(`${path}:${lineAt(text, fence.index)}`, path, fence[1] ?? ""));
}

/** Every `@example` in the JSDoc of a source file; each stands alone. A fence around it is taken off. */
export function jsdocBlocks(path: string, text: string): Block[] {
  const blocks: Block[] = [];
  const visit = (node: ts.Node): void => {
    for (const tag of ts.getJSDocTags(node)) {
      if (tag.tagName.text !== "example" || tag.parent.parent !== node) continue;
      const origin = `${path}:${lineAt(text, tag.pos)}`;
      const code = ts.getTextOfJSDocComment(tag.comment) ?? "";
      const found = block(origin, origin, code.replace(/^```ts\n|\n?```$/g, ""));
      blocks.push(...found.map((one) => ({ ...one, source: path })));
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true));
  return blocks;
}

function lineAt(text: string, position: number): number {
  return text.slice(0, position).split("\n").length;
}

/** All examples of the repository: JSDoc in src/, README and other Markdown at the top, and docs/. */
export function allBlocks(): Block[] {
  const files = (folder: string, pattern: RegExp, recursive: boolean) =>
    readdirSync(join(ROOT, folder), { recursive, encoding: "utf8" })
      .filter((name) => pattern.test(name))
      .map((name) => join(folder, name).replaceAll("\\", "/"));
  const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
  const hasDocs = readdirSync(ROOT).includes("docs");
  const markdown = [...files(".", /\.md$/, false), ...(hasDocs ? files("docs", /\.md$/, true) : [])];
  return [
    ...files("src", /\.ts$/, true).flatMap((path) => jsdocBlocks(path, read(path))),
    ...markdown.flatMap((path) => markdownBlocks(path, read(path))),
  ];
}
