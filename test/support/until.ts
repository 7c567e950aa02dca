/**
 * Waits for a condition that nothing reports: asks again every 5 ms. One that throws does not hold yet.
 *
 * @param condition answers a value when it holds, and undefined until then
 * @param deadline in ms
 * @throws Error when the deadline passes, with what the condition threw last
 */
export async function until<Value>(
  what: string,
  condition: () => Promise<Value | undefined>,
  deadline = 20_000,
): Promise<Value> {
  const end = performance.now() + deadline;
  let cause: unknown;
  while (performance.now() < end) {
    try {
      const value = await condition();
      if (value !== undefined) return value;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`waited ${deadline} ms in vain: ${what}${cause === undefined ? "" : ` (${String(cause)})`}`, {
    cause,
  });
}
