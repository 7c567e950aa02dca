import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT } from "./sources.js";

function markdownFiles(): string[] {
  const top = readdirSync(ROOT).filter((name) => name.endsWith(".md"));
  const docs = existsSync(join(ROOT, "docs"))
    ? readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    : [];
  return [...top, ...docs.filter((name) => name.endsWith(".md")).map((name) => join("docs", name))];
}

/** What a heading is called in a link, as GitHub makes it. */
function anchor(heading: string): string {
  const words = heading.toLowerCase().replace(/`/g, "").trim();
  return words.replace(/[^\p{L}\p{N} _-]/gu, "").replace(/ /g, "-");
}

function anchorsOf(path: string): string[] {
  const text = readFileSync(path, "utf8").replace(/^```.*?^```/gms, "");
  return [...text.matchAll(/^#{1,6} (.+)$/gm)].map((match) => anchor(match[1] ?? ""));
}

/** The relative links of a file that lead nowhere. */
function deadLinks(path: string): string[] {
  const text = readFileSync(join(ROOT, path), "utf8").replace(/^```.*?^```/gms, "");
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? "");
  return links.filter((link) => {
    if (/^[a-z]+:/.test(link)) return false;
    const [file = "", fragment] = link.split("#");
    const target = file === "" ? join(ROOT, path) : join(ROOT, dirname(path), file);
    return !existsSync(target) || (fragment !== undefined && !anchorsOf(target).includes(fragment));
  });
}

describe("documents", () => {
  it("have no dead relative links", () => {
    const files = markdownFiles();
    expect(files).toContain("README.md");
    expect(files.flatMap((path) => deadLinks(path).map((link) => `${path}: ${link}`))).toEqual([]);
  });
});
