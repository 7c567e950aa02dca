import { script } from "./script.js";

/** Sends jobs to who listens: `{queue, id, record}` each. Called by `Broadcaster.publish`. One command a job. */
export const broadcast = script(`
for _, job in ipairs(args) do
  call('PUBLISH', CHANNEL .. 'broadcast:' .. job[1], cmsgpack.pack({job[2], job[3]}))
end
`);
