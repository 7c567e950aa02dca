/**
 * The candidate most like `word`, if one is near enough to be what was meant: at most a third of its letters away, and
 * at most 3. Letter case and the separators `-`, `_` and `.` do not count. Failing that, the first one that has `word` for
 * its last part.
 *
 * @example
 * nearest("concurency", ["concurrency", "queues"]); // "concurrency"
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const wanted = plain(word);
  let best: string | undefined;
  let bestDistance = Math.min(3, Math.ceil(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = levenshtein(wanted, plain(candidate));
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best ?? candidates.find((candidate) => candidate.endsWith(`.${word}`));
}

/**
 * One line for a name that does not exist, with the nearest one that does, or all of them when none is near.
 *
 * @example
 * unknownKey("option", "prioritty", ["priority", "queue"], 'task "add"');
 * // 'unknown option "prioritty" in task "add": did you mean "priority"?'
 */
export function unknownKey(kind: string, key: string, candidates: readonly string[], where?: string): string {
  const place = where === undefined ? "" : ` in ${where}`;
  return `unknown ${kind} "${key}"${place}${suggestion(key, candidates)}`;
}

/** The end of such a line: `: did you mean "x"?`, or `; there are x, y and z`. */
export function suggestion(word: string, candidates: readonly string[]): string {
  const guess = nearest(word, candidates);
  if (guess !== undefined) return `: did you mean "${guess}"?`;
  if (candidates.length < 2) return candidates.length === 0 ? "; there are none" : `; there is only ${candidates[0]}`;
  return `; there are ${enumerate(candidates)}`;
}

/** `a, b and c`, cut after twelve. */
function enumerate(words: readonly string[]): string {
  if (words.length > 12) return `${words.slice(0, 12).join(", ")} and ${words.length - 12} more`;
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

function plain(word: string): string {
  return word.toLowerCase().replace(/[-_.]/g, "");
}

/** How many letters must be inserted, deleted or replaced to make `b` of `a`. One row of the matrix at a time. */
export function levenshtein(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
