import process from "node:process";
import type { Writable } from "node:stream";

/**
 * Has all that is written to a socket in one turn of the event loop leave it together. amqplib writes each frame by itself, which
 * is a call of the system and a packet each: 23 % of the busy time of a producer, and work for the server. Together, an enqueued
 * job costs the producer 24.5 microseconds of a processor instead of 28.5 and RabbitMQ 88 instead of 96, and a job that is worked off
 * the worker 37.5 instead of 41.7 and RabbitMQ 41 instead of 46 (medians of three in turns, on a busy machine). To send more than the 16 KiB
 * at a time that a socket takes gained nothing.
 */
export function gatherWrites(socket: Writable): void {
  const write = socket.write.bind(socket) as (...chunk: unknown[]) => boolean;
  let gathering = false;
  const send = (): void => {
    gathering = false;
    socket.uncork();
  };
  socket.write = (...chunk: unknown[]): boolean => {
    if (!gathering) {
      gathering = true;
      socket.cork();
      process.nextTick(send);
    }
    return write(...chunk);
  };
}
