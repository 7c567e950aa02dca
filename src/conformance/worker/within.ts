/** How long anything may take on a busy machine, in ms, before it counts as never. */
const DEADLINE = 45_000;

/** Waits for `promise`, and fails when it takes longer than anything should. */
export async function within<T>(promise: Promise<T>, what: string, ms = DEADLINE): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
