/** Celery's name for results that are messages: `rpc://` is no place of its own, they come through the broker. */
export function isReplies(backend: unknown): boolean {
  return backend === "rpc://";
}
