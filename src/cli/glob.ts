import { readdir } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";

/**
 * The files below `folder` that match a pattern, sorted. `*` and `?` stay within one name, `**` crosses folders, and
 * `{a,b}` is either. node_modules and hidden folders are never entered. (`fs.glob` is missing on Node 20.)
 */
export async function findFiles(pattern: string, folder: string): Promise<string[]> {
  const root = resolve(folder, fixedPart(pattern));
  const matcher = toRegExp(pattern.replace(/^\.\//, ""));
  const found: string[] = [];
  await walk(root, (file) => {
    const name = pattern.startsWith("/") ? file : relative(folder, file);
    if (matcher.test(name.split(sep).join("/"))) found.push(file);
  });
  return found.sort();
}

/** The folders before the first wildcard, so that the walk starts no higher than needed. */
function fixedPart(pattern: string): string {
  const parts = pattern.split("/");
  const wild = parts.findIndex((part) => /[*?{[]/.test(part));
  const fixed = parts.slice(0, wild === -1 ? -1 : wild).join("/");
  return pattern.startsWith("/") && fixed === "" ? "/" : fixed;
}

async function walk(folder: string, visit: (file: string) => void): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (entry.name === "node_modules" || entry.name.startsWith(".")) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await walk(path, visit);
    else visit(path);
  }
}

const TOKEN = /\*\*\/|\*\*|\*|\?|\{[^{}]*\}|[^*?{]+|\{/g;

function toRegExp(pattern: string): RegExp {
  const source = (pattern.match(TOKEN) ?? []).map(translate).join("");
  return new RegExp(`^${source}$`);
}

function translate(token: string): string {
  if (token === "**/") return "(?:[^/]+/)*";
  if (token === "**") return ".*";
  if (token === "*") return "[^/]*";
  if (token === "?") return "[^/]";
  if (/^\{.*\}$/.test(token)) {
    const choices = token.slice(1, -1).split(",");
    return `(?:${choices.map((text) => toRegExp(text).source.slice(1, -1)).join("|")})`;
  }
  return token.replace(/[.+^${}()|[\]\\]/g, "\\$&");
}
