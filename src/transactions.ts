/** The last use of each transaction of the user's, for as long as the user keeps it. */
const turns = new WeakMap<object, Promise<unknown>>();

/** Whether a handle of a transaction is of a client that answers with promises. The others write before they return. */
export function isAsynchronous(transaction: object): boolean {
  return "query" in transaction && typeof transaction.query === "function";
}

/**
 * Uses a transaction of the user's when everything that uses it already is through: a batch may be several statements,
 * between which those of another one on the same connection would do harm. At once where the client is synchronous.
 */
export function inTurn<T>(transaction: object, use: () => Promise<T>): Promise<T> {
  if (!isAsynchronous(transaction)) return use();
  const before = turns.get(transaction) ?? Promise.resolve();
  const turn = before.then(use, use);
  turns.set(transaction, turn);
  return turn;
}
