/** The words of a text in lower case, without those in code, URLs and tags. */
export function words(markdown: string): string[] {
  const prose = markdown.replace(/```[\s\S]*?```|`[^`\n]*`|https?:\/\/\S+|<[^>]*>/g, " ");
  return prose.toLowerCase().match(/\p{L}+/gu) ?? [];
}

export function countHeadings(markdown: string): number {
  return markdown.match(/^#{1,6}\s/gm)?.length ?? 0;
}

export function countLinks(markdown: string): number {
  return markdown.match(/\[[^\]]*\]\([^)\s]+[^)]*\)/g)?.length ?? 0;
}

export function longestLine(markdown: string): number {
  return markdown.split("\n").reduce((longest, line) => Math.max(longest, line.length), 0);
}

/** The words of at least five letters that are used most, with how often, most used first. */
export function mostUsed(all: readonly string[], limit: number): [word: string, count: number][] {
  const counts = new Map<string, number>();
  for (const word of all) if (word.length >= 5) counts.set(word, (counts.get(word) ?? 0) + 1);
  return top(counts, limit);
}

/** The entries with the highest counts, highest first; equal ones by the alphabet. */
export function top(counts: ReadonlyMap<string, number>, limit: number): [word: string, count: number][] {
  return [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, limit);
}
