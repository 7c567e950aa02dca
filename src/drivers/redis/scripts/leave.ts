import { script } from "./script.js";

/** Notes a consumer as idle no longer: `{consumer, queues}`. Called by `Consumer.close`. */
export const leave = script(`
for _, queue in ipairs(args[2]) do call('ZREM', P .. 'idle:' .. queue, args[1]) end
`);
