import { script } from "./script.js";

/**
 * Notes a consumer as waiting no longer: `{consumer, queues}`. Answers 0 where it was not, so that it may have been handed a job.
 *
 * Called when a wait is broken off, and by `Consumer.close`.
 */
export const leave = script(`
for _, queue in ipairs(args[2]) do call('ZREM', P .. 'idle:' .. queue, args[1]) end
return call('DEL', P .. 'waiter:' .. args[1])
`);
