import { NoResultError, UnsupportedError } from "./errors.js";

/**
 * Asks the places where a job may be, one after the other, until one knows something of it.
 *
 * @param ask - Answers what a place knows, or `nothing`. Where it cannot tell, the next one is asked.
 * @throws what the first one threw that could not tell, where no other knew anything.
 */
export async function firstOf<Place, T>(
  places: readonly Place[],
  ask: (place: Place) => Promise<T>,
  nothing: (answer: T) => boolean,
): Promise<T> {
  const refusals: unknown[] = [];
  const answers: T[] = [];
  for (const place of places) {
    try {
      const answer = await ask(place);
      if (!nothing(answer)) return answer;
      answers.push(answer);
    } catch (error) {
      refusals.push(refusalOf(error));
    }
  }
  if (refusals.length > 0) throw refusals[0];
  return answers[0] as T;
}

/**
 * Asks all places together, for what the ones have that can tell.
 *
 * @throws what the first one threw, where none could tell.
 */
export async function allOf<Place, T>(
  places: readonly Place[],
  ask: (place: Place) => Promise<readonly T[]>,
): Promise<T[]> {
  const refusals: unknown[] = [];
  const answers = await Promise.all(
    places.map((place) =>
      ask(place).catch((error: unknown) => {
        refusals.push(refusalOf(error));
        return [];
      }),
    ),
  );
  if (places.length > 0 && refusals.length === places.length) throw refusals[0];
  return answers.flat();
}

/**
 * That a place cannot tell.
 *
 * @throws what is anything else.
 */
export function refusalOf(error: unknown): UnsupportedError | NoResultError {
  if (error instanceof UnsupportedError || error instanceof NoResultError) return error;
  throw error;
}
