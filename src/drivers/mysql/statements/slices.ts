import type { SqlRow } from "../../../contracts/transaction.js";
import { encodeId, encodeName, integer } from "../cells.js";
import type { PooledSession, Session } from "../client/client.js";
import { byKey, NOW, type Parameter, paddedParts, repeat, sliceAt, type Tables } from "../sql.js";

/** The place of what is not due, in the line. Places before it are `9 - priority`, so the highest priority comes first. */
export const LATER = 10;

/** A second of one place in a queue's line. */
export interface Slice {
  readonly place: number;
  readonly slice: number;
}

/** One that may have jobs. */
export interface MarkedSlice extends Slice {
  /** No job that is new is put there any more, only such as come back. */
  readonly past: boolean;
}

/** As many slices are looked through at once. */
const SLICES = 64;

/**
 * Purpose: which slices of a queue's line have jobs, so that nobody has to walk along the line to find its first job.
 *
 * What was claimed leaves the line's index only when InnoDB purges it, which waits for the oldest transaction that is
 * open anywhere on the server. Until then whoever looks for the first job walks past all that were claimed, a quarter of
 * a microsecond each: with 400,000 of them before it a claim took 102 ms. A condition on where the last claim ended does
 * not help: each priority without jobs is then looked through up to the next job of any other (1,560 ms). Only equality
 * makes InnoDB stop at the end of what was asked for: claims in slices that are named took 1 ms.
 *
 * Whoever puts a job in the line marks its slice in the same transaction, so a mark is seen when the job is. A mark goes when it
 * is locked first, and then its slice is seen to be empty: jobs that are not committed have marks that are not, or that their
 * transaction has locked by inserting them again. Each writer has marks of its own, so that none waits for another one's commit.
 *
 * Callers: all that put jobs in the line, claims, and the poller.
 * Cost: a statement for each batch and each claim; three for a slice that has become empty. Marks that are removed stay in
 *   their index too, as long as the jobs: one a second and writer.
 */
export function slices(tables: Tables) {
  const mark = (place: string, count: number) =>
    `INSERT IGNORE INTO ${tables.slices} (queue, place, slice, writer)
      SELECT DISTINCT queue, ${place}, ${sliceAt("due")}, COALESCE(?, CONNECTION_ID())
      FROM ${byKey(tables.jobs)} WHERE id IN (${repeat("?", count)})`;
  const marked = (where: string) =>
    `SELECT s.place, s.slice, s.slice < ${sliceAt(NOW)} - 1 AS past FROM ${tables.slices} s
      WHERE s.queue = ? AND ${where} GROUP BY s.place, s.slice ORDER BY s.place, s.slice LIMIT ${SLICES}`;
  const ready = marked(`s.place < ${LATER}`);
  const later = marked(`s.place = ${LATER} AND s.slice <= ${sliceAt(NOW)}`);
  const those = (count: number) => `s.queue = ? AND ${inSlices("s", count)}`;
  const lock = (count: number) =>
    `SELECT s.place, s.slice, s.writer FROM ${tables.slices} s FORCE INDEX (PRIMARY) WHERE ${those(count)}
      FOR UPDATE SKIP LOCKED`;
  const empty = (count: number) =>
    `SELECT s.place, s.slice, s.writer FROM ${tables.slices} s FORCE INDEX (PRIMARY) WHERE ${those(count)} AND NOT EXISTS (
      SELECT 1 FROM ${tables.line} l WHERE l.queue = s.queue AND l.place = s.place AND l.slice = s.slice)`;
  const remove = (count: number) =>
    `DELETE t FROM ${byKey(tables.slices)} WHERE (queue, place, slice, writer) IN (${repeat("(?, ?, ?, ?)", count)})`;

  return {
    /** Marks the slices of these jobs, which were put in the line. */
    async mark(session: Session, ids: readonly string[], { later }: { readonly later: boolean }): Promise<void> {
      for (const part of paddedParts(ids.map(encodeId))) {
        const sql = mark(later ? String(LATER) : "9 - priority", part.length);
        await session.run(sql, [session.writer, ...part]);
      }
    },
    /** The first ones with jobs that may be claimed, in the order of claiming. */
    ready: async (session: Session, queue: string) => (await session.run(ready, [encodeName(queue)])).map(toSlice),
    /** The first ones with jobs that were not due when they came, and are now or will be in a moment. */
    later: async (session: Session, queue: string) => (await session.run(later, [encodeName(queue)])).map(toSlice),
    /** Removes the marks of those of these slices that are empty, and answers how many. */
    async tidy(session: PooledSession, queue: string, emptied: readonly Slice[]): Promise<number> {
      const name = encodeName(queue);
      let removed = 0;
      for (const part of paddedParts(emptied)) {
        const parameters = [name, ...slicesOf(part)];
        const locked = new Set((await session.run(lock(part.length), parameters)).map(markOf));
        const seen = await session.run(empty(part.length), parameters);
        const marks = seen.filter((row) => locked.has(markOf(row)));
        for (const some of paddedParts(marks)) {
          await session.run(
            remove(some.length),
            some.flatMap((row) => [name, ...cellsOf(row)]),
          );
        }
        removed += marks.length;
      }
      return removed;
    },
  };
}

/** Those of the slices from which `taken` are all that there was, of up to `max` in the order of the line. */
export function exhausted(slices: readonly MarkedSlice[], taken: readonly SqlRow[], max: number): Slice[] {
  const last = taken.length < max ? undefined : taken.at(-1);
  const ended = last === undefined ? slices.length : slices.findIndex((one) => isIn(last, one));
  return slices.slice(0, ended).filter(({ past }) => past);
}

function isIn(row: SqlRow, { place, slice }: Slice): boolean {
  return integer(row, "place") === place && integer(row, "slice") === slice;
}

/**
 * Is the row `alias` in one of `count` slices? Its queue is to be told besides. MariaDB does not see that a parameter without a type
 * is one value, and sorts all of a single slice to order it: a claim from one with 10,000 jobs took 34 ms, and 0.7 ms with `CAST`.
 */
export function inSlices(alias: string, count: number): string {
  return `(${alias}.place, ${alias}.slice) IN (${repeat("(CAST(? AS SIGNED), CAST(? AS SIGNED))", count)})`;
}

/** The parameters of {@link inSlices}. */
export function slicesOf(slices: readonly Slice[]): Parameter[] {
  return slices.flatMap(({ place, slice }) => [place, slice]);
}

function toSlice(row: SqlRow): MarkedSlice {
  return { place: integer(row, "place"), slice: integer(row, "slice"), past: integer(row, "past") === 1 };
}

function cellsOf(row: SqlRow): number[] {
  return [integer(row, "place"), integer(row, "slice"), integer(row, "writer")];
}

function markOf(row: SqlRow): string {
  return cellsOf(row).join(" ");
}
