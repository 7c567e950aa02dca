/** What a message came through, and what it says. */
export type OnMessage = (channel: string, message: Buffer) => void;

/**
 * What the driver needs of a client library: two connections that come back by themselves. The commands of one that breaks
 * fail; none is sent a second time.
 */
export interface RedisClient {
  /** Whether a command would reach the server now. */
  readonly ready: boolean;
  /** Resolves once `ready`. Rejects when it is certain that it never will be, and when the signal aborts. */
  whenReady(signal: AbortSignal): Promise<void>;
  /** Sends one command. Strings in its answer come as Buffers. */
  send(command: string, args: readonly (string | Buffer)[]): Promise<unknown>;
  /** Sends the command on a connection that listens: that one is opened by the first of these. */
  subscribe(channels: readonly string[], signal: AbortSignal): Promise<void>;
  unsubscribe(channels: readonly string[]): Promise<void>;
  /** Asks the server for a sign of life on the connection that listens. One that gives none is opened again. */
  probe(signal: AbortSignal): Promise<void>;
  /** Whether this is a cluster, where a message reaches everybody but nobody counts the listeners. */
  readonly cluster: boolean;
  /** Called for each message, and when messages may have been missed and every subscription has to be made again. */
  listen(onMessage: OnMessage, onGap: () => void): void;
  /**
   * One more client of the same place, for commands that block, for less than the time that the server has to answer in.
   * Whoever asks for it closes it.
   */
  another(): RedisClient;
  close(): Promise<void>;
}
