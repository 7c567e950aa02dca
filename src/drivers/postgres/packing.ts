/**
 * Numbers for one parameter, as the text of an array. Where all are the same it is an array of one, which our functions take
 * for all.
 */
export function numbers(values: readonly number[]): string {
  const [first] = values;
  if (first === undefined) return "{}";
  return `{${values.every((value) => value === first) ? first : values.join(",")}}`;
}

/** The same where each has its own. */
export function everyNumber(values: readonly (number | string)[]): string {
  return `{${values.join(",")}}`;
}

/** Texts for one parameter, as the text of an array. */
export function texts(values: readonly string[]): string {
  return `{${values.map((value) => `"${value.replace(/["\\]/g, "\\$&")}"`).join(",")}}`;
}

/** Gathers pieces of bytes into one, and knows where each begins. */
export class Packer {
  readonly #pieces: Uint8Array[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Adds a piece, and answers its length; -1 where there is none. */
  add(piece: Uint8Array | undefined): number {
    if (piece === undefined) return -1;
    this.#pieces.push(piece);
    this.#length += piece.length;
    return piece.length;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#pieces, this.#length);
  }
}
