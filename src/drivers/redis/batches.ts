/** What one script handles at once, so that it never holds the server for long (about 2 ms), nor fills Lua's stack. */
export const LARGEST_BATCH = 1000;

/** The items in parts for one call each. Nearly always there is one. */
export function* batches<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let from = 0; from < items.length; from += LARGEST_BATCH) {
    yield from === 0 && items.length <= LARGEST_BATCH ? items : items.slice(from, from + LARGEST_BATCH);
  }
}
