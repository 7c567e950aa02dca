/** What chance does in these tests: `CHAOS_SEED=7 npx vitest run test/chaos` repeats a run as far as timing allows. */
export const SEED = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000);
