/** The name of the subprotocol. */
export const SUBPROTOCOL: "ws-hub.v1";

/** Whether a client connects again after a close code. */
export function reconnectsAfter(code: number): boolean;

/** A place in a topic with history. It is opaque: keep it, and pass it as `since`. */
export type Position = string;

/** A value that `JSON.stringify` writes. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** An answer of the server, or the reason why there is none. */
export class HubError extends Error {
  /**
   * The code of the protocol (`forbidden`, `too_large`, `conflict`, …); or `offline` (there was no connection: nothing was sent),
   * `disconnected` (the connection was lost before the answer), `ended` (there is no other connection).
   */
  readonly code: string;
  constructor(code: string, text: string);
  /** Whether a publication may have been published. Publish it again only with the same `idempotencyKey`. */
  get isUnknown(): boolean;
}

export type State = "connecting" | "open" | "waiting" | "closed";

export interface HubOptions {
  /** Called when the state changes; `waiting` and `closed` with the close code, and `waiting` with the delay in ms. */
  onState?(state: State, detail: { code?: number; reason?: string; delay?: number }): void;
  /** Decides whether to connect again after a close code. Default {@link reconnectsAfter}. */
  reconnect?(code: number, reason: string): boolean;
  /** The bound of the first delay, in ms. It doubles with each attempt. The delay is random below it. Default 500. */
  firstDelay?: number;
  /** The longest bound of a delay, in ms. Default 30,000. */
  longestDelay?: number;
  /** The longest time to connect, in ms. Default 10,000. */
  connectTimeout?: number;
  /** The time that a connection must last so that delays begin anew, in ms. Default 60,000. */
  stableAfter?: number;
  /** The silence after which the server is asked whether it is there, in ms. Default 30,000. */
  probeInterval?: number;
  /** The time for its answer, after which the connection is given up, in ms. Default 20,000. */
  probeTimeout?: number;
  /** The class of WebSockets. Default that of the platform. */
  WebSocket?: unknown;
}

/** A publication. */
export interface HubMessage {
  topic: string;
  /** `null` if the topic has no history. */
  position: Position | null;
  key: string | null;
  /** Whether only clients of this server's instance get it, because its broker could not be reached. */
  local: boolean;
  /** What it was published as. `text` is text that is no JSON, from a program of the server's. */
  kind: "json" | "text" | "binary";
  /** A JSON value, a string for `text`, a Uint8Array for `binary`. */
  data: any;
}

export interface SubscribeOptions {
  /** Begins after this position: everything that was published since comes first. */
  since?: Position | null;
  /** Begins with the last publications, at most so many. */
  last?: number;
  onMessage?(message: HubMessage): void;
  /**
   * Publications may be missing here. `cause` is one of the protocol, or `disconnected`: the connection was lost, and the topic
   * has no history. Default: a warning on the console.
   */
  onGap?(event: { topic: string; cause: string; text: string }): void;
  /** Everything that was missed, or asked for with `last`, has come. */
  onRecovered?(event: { topic: string; publications: number }): void;
  /** What was missed cannot be had. Default: a warning on the console. */
  onUnrecoverable?(event: { topic: string; reason: string; text: string }): void;
  /** The subscription stands: at first, and again (`isAgain`) after each loss of the connection. */
  onSubscribed?(event: { topic: string; position: Position | null; isAgain: boolean }): void;
  /**
   * It stood before, was refused after the connection was lost, and is tried again after `delay` ms. Default: a warning on the
   * console.
   */
  onRetry?(event: { topic: string; error: HubError; delay: number }): void;
  /** The subscription was refused, or has ended. Default: a warning on the console. */
  onError?(error: HubError): void;
}

/** A topic that is subscribed. */
export interface Subscription {
  readonly topic: string;
  /** The position from which it would be subscribed again. An application can keep it beyond the page. */
  readonly position: Position | null;
  unsubscribe(): void;
}

export interface PublishOptions {
  /** The value that it replaces, for topics that send slow clients the newest value of each key. */
  key?: string;
  /** Names the publication, so that it can be published again when its result is unknown. */
  idempotencyKey?: string;
  /** Publishes only if this is the last position of the topic; else the error has the code `conflict`. */
  after?: Position;
}

export interface Member {
  id: string;
  data?: any;
}

export interface Presence {
  readonly topic: string;
  /**
   * Becomes a member, now or as soon as there is a connection, and again after each loss of one. Resolves at the first answer.
   * If a later one is a refusal, it is no member any more, and `onError` is called. Default: a warning on the console.
   */
  join(id: string, data?: Json, callbacks?: { onError?(error: HubError): void }): Promise<void>;
  leave(): void;
  /** The members now. */
  members(): Promise<Member[]>;
  /** Calls back with all members, and with each change. `onMembers` can come again. Returns a function that ends it. */
  watch(callbacks: {
    onMembers?(members: Member[]): void;
    onJoined?(member: Member): void;
    onChanged?(member: Member): void;
    onLeft?(member: Member): void;
    onError?(error: HubError): void;
  }): () => void;
}

/** A connection to a hub, which is made again whenever it is lost. */
export class Hub {
  /** @param url the URL, or a function that returns it for each attempt, for example with a fresh token */
  constructor(url: string | URL | (() => string | URL), options?: HubOptions);
  readonly state: State;
  subscribe(topic: string, options?: SubscribeOptions): Subscription;
  publish(topic: string, data: Json | Uint8Array | ArrayBuffer, options?: PublishOptions): Promise<Position | null>;
  presence(topic: string): Presence;
  /** Ends the connection, for good. */
  close(code?: number, reason?: string): void;
}
