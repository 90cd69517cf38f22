/**
 * Client of the hub's protocol `ws-hub.v1`, for browsers and Node 22 or later. One file without dependencies.
 *
 *   import { Hub } from "./ws-hub.js";
 *   const hub = new Hub("wss://example.com/hub");
 *   hub.subscribe("chat/rust", { last: 50, onMessage: ({ data }) => console.log(data) });
 *   await hub.publish("chat/rust", { says: "Hello" });
 *
 * It connects again without limit, and subscribes from the last position that it has: nothing is missing, nothing comes twice,
 * and where that cannot be promised, the application is told. ws-hub.d.ts describes the types.
 *
 * @license MIT OR Apache-2.0
 */

/** The name of the subprotocol. */
export const SUBPROTOCOL = "ws-hub.v1";

/** The close code of a connection that was too slow, and connects again. */
const RESUMABLE = 4008;

/** Close codes after which there is no other connection. */
const FINAL = new Set([1000, 1002, 1003, 1007, 1008, 1010, 3000, 3003]);

/** Answers after which a subscription that stood before is not tried again. All others can be temporary. */
const FINAL_ANSWERS = new Set(["already", "invalid_topic", "malformed", "too_many", "unknown_command", "unsupported"]);

/** How often it is tried again when it is `forbidden`: maybe who decides it was asked, and did not answer. */
const FORBIDDEN_ATTEMPTS = 3;

/** Whether a client connects again after a close code. */
export function reconnectsAfter(code) {
  return !FINAL.has(code) && (code < 4000 || code === RESUMABLE);
}

/** An answer of the server, or the reason why there is none. */
export class HubError extends Error {
  /**
   * @param {string} code the code of the protocol; or `offline` (not connected: nothing was sent), `disconnected` (the
   *   connection was lost before the answer), `ended` (there is no other connection)
   */
  constructor(code, text) {
    super(text);
    this.name = "HubError";
    this.code = code;
  }

  /** Whether a publication may have been published. */
  get isUnknown() {
    return this.code === "unknown_result" || this.code === "disconnected";
  }
}

/** A connection to a hub, which is made again whenever it is lost. */
export class Hub {
  #url;
  #options;
  #socket = null;
  #state = "connecting";
  #attempt = 0;
  #timer = null;
  /** Ends an attempt to connect that takes too long. */
  #opening = null;
  /** Sends a probe to a server that has been silent, or ends the connection without an answer to it. */
  #probing = null;
  #nextId = 1;
  /** Commands that wait for their answers, by ID. */
  #pending = new Map();
  #subscriptions = new Map();
  #presences = new Map();
  #end = null;
  #wake = () => this.#connectNow();
  #visible = () => globalThis.document?.visibilityState === "visible" && this.#connectNow();

  constructor(url, options = {}) {
    this.#url = url;
    this.#options = {
      firstDelay: 500,
      longestDelay: 30_000,
      connectTimeout: 10_000,
      stableAfter: 60_000,
      probeInterval: 30_000,
      // Longer than the server waits for its broker, before it answers the command that came first.
      probeTimeout: 20_000,
      reconnect: reconnectsAfter,
      WebSocket: globalThis.WebSocket,
      ...options,
    };
    globalThis.addEventListener?.("online", this.#wake);
    globalThis.document?.addEventListener?.("visibilitychange", this.#visible);
    this.#connect();
  }

  /** `connecting`, `open`, `waiting` (for the next attempt), or `closed` (for good). */
  get state() {
    return this.#state;
  }

  /**
   * Subscribes to a topic, now or as soon as there is a connection, and again after each loss of one. A topic can be subscribed
   * once.
   */
  subscribe(topic, options = {}) {
    this.#check();
    if (typeof topic !== "string") throw new TypeError("a topic is a string");
    if (this.#subscriptions.has(topic)) throw new HubError("already", `${JSON.stringify(topic)} is subscribed already`);
    const subscription = new Subscription(topic, options, () => this.#unsubscribe(subscription));
    this.#subscriptions.set(topic, subscription);
    if (this.#state === "open") this.#send(subscription);
    return subscription;
  }

  /**
   * Publishes a JSON value, or bytes (a Uint8Array or an ArrayBuffer). Resolves to its position, `null` if the topic has no
   * history. It is not kept for later: without a connection, it is refused as `offline`.
   */
  async publish(topic, data, { key, idempotencyKey, after } = {}) {
    const command = { type: "publish", topic, key, idempotency_key: idempotencyKey, after };
    if (data instanceof Uint8Array || data instanceof ArrayBuffer) {
      command.binary = toBase64(data instanceof ArrayBuffer ? new Uint8Array(data) : data);
    } else {
      if (JSON.stringify(data) === undefined) throw new TypeError("what is published must be a JSON value or bytes");
      command.data = data;
    }
    const { position } = await this.#command(command);
    return position ?? null;
  }

  /** The members of a topic. */
  presence(topic) {
    this.#check();
    if (typeof topic !== "string") throw new TypeError("a topic is a string");
    let presence = this.#presences.get(topic);
    if (!presence) {
      presence = new Presence(topic, {
        isOpen: () => this.#state === "open",
        check: () => this.#check(),
        command: (command) => this.#command(command),
      });
      this.#presences.set(topic, presence);
    }
    return presence;
  }

  /** Ends the connection, for good. */
  close(code = 1000, reason = "") {
    const socket = this.#socket;
    this.#finish(new HubError("ended", "the connection was closed here"), code, reason, true);
    socket?.close(code, reason);
  }

  #check() {
    if (this.#end) throw this.#end;
  }

  // ---- connecting ----

  #connect() {
    clearTimeout(this.#timer);
    this.#setState("connecting");
    if (this.#end) return;
    const { WebSocket, connectTimeout } = this.#options;
    let socket;
    try {
      socket = new WebSocket(typeof this.#url === "function" ? this.#url() : this.#url, SUBPROTOCOL);
    } catch (error) {
      // The URL is none: no other attempt helps.
      this.#finish(new HubError("ended", String(error?.message ?? error)), 1006, "");
      return;
    }
    this.#socket = socket;
    const isCurrent = () => this.#socket === socket;
    let opened = null;
    // A browser waits for minutes for a server that does not answer.
    this.#opening = setTimeout(() => isCurrent() && this.#abandon("no answer in time", null), connectTimeout);
    socket.onopen = () => {
      if (!isCurrent()) return;
      clearTimeout(this.#opening);
      opened = Date.now();
      this.#state = "open";
      this.#resume();
      this.#heard(opened);
      call(this.#options.onState, "open", {});
    };
    socket.onmessage = ({ data }) => {
      if (!isCurrent()) return;
      this.#heard(opened);
      this.#receive(data);
    };
    socket.onclose = ({ code, reason }) => isCurrent() && this.#closed(code, reason, opened);
    socket.onerror = () => {};
  }

  /** The server is there. It is asked again when it has been silent for a while: a network can go without a word. */
  #heard(opened) {
    clearTimeout(this.#probing);
    this.#probing = setTimeout(() => this.#probe(opened), this.#options.probeInterval);
  }

  #probe(opened) {
    if (this.#state !== "open") return;
    clearTimeout(this.#probing);
    this.#command({ type: "ping" }).catch(() => {});
    this.#probing = setTimeout(() => this.#abandon("the server is silent", opened), this.#options.probeTimeout);
  }

  /** Gives a connection up without waiting for its end. */
  #abandon(reason, opened) {
    const socket = this.#socket;
    this.#closed(1006, reason, opened);
    socket?.close();
  }

  #closed(code, reason, opened) {
    clearTimeout(this.#opening);
    clearTimeout(this.#probing);
    this.#socket = null;
    this.#state = "waiting";
    const lost = new HubError("disconnected", "the connection was lost before the answer");
    for (const { reject } of this.#takePending()) reject(lost);
    for (const each of this.#all()) each._disconnected();
    if (!this.#options.reconnect(code, reason)) {
      this.#finish(new HubError("ended", `the server closed the connection: ${code} ${reason}`.trim()), code, reason);
      return;
    }
    if (opened !== null && Date.now() - opened >= this.#options.stableAfter) this.#attempt = 0;
    const bound = Math.min(this.#options.firstDelay * 2 ** Math.min(this.#attempt, 30), this.#options.longestDelay);
    this.#attempt += 1;
    // Anything between nothing and the bound, so that many clients do not come back at the same time.
    const delay = Math.random() * bound;
    this.#timer = setTimeout(() => this.#connect(), delay);
    call(this.#options.onState, "waiting", { code, reason, delay });
  }

  /** The network is back, or somebody looks at the page: there is no reason to wait, and a connection may be dead. */
  #connectNow() {
    if (this.#state === "waiting") this.#connect();
    else if (this.#state === "open") this.#probe(null);
  }

  #all() {
    return [...this.#subscriptions.values(), ...this.#presences.values()];
  }

  #finish(error, code, reason, isOwn = false) {
    if (this.#end) return;
    this.#end = error;
    clearTimeout(this.#timer);
    clearTimeout(this.#opening);
    clearTimeout(this.#probing);
    globalThis.removeEventListener?.("online", this.#wake);
    globalThis.document?.removeEventListener?.("visibilitychange", this.#visible);
    this.#socket = null;
    const lost = new HubError("disconnected", "the connection was ended before the answer");
    for (const { reject } of this.#takePending()) reject(lost);
    const all = this.#all();
    this.#subscriptions.clear();
    this.#presences.clear();
    this.#setState("closed", { code, reason });
    // An application that has closed it needs no word of it.
    for (const each of all) each._ended(error, isOwn);
  }

  #setState(state, detail = {}) {
    if (this.#state === state) return;
    this.#state = state;
    call(this.#options.onState, state, detail);
  }

  // ---- commands and their answers ----

  /** Sends a command, and resolves to its answer. */
  #command(command) {
    if (this.#end) return Promise.reject(this.#end);
    if (this.#state !== "open") {
      return Promise.reject(new HubError("offline", "there is no connection; nothing was sent"));
    }
    return new Promise((resolve, reject) => this.#write(command, { resolve, reject }));
  }

  #write(command, answered) {
    const id = this.#nextId;
    this.#nextId += 1;
    const text = JSON.stringify({ ...command, id });
    this.#pending.set(id, answered);
    this.#socket.send(text);
  }

  #takePending() {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    return pending;
  }

  #resume() {
    for (const subscription of this.#subscriptions.values()) this.#send(subscription);
    for (const presence of this.#presences.values()) presence._connected();
  }

  #send(subscription) {
    const isCurrent = () => this.#subscriptions.get(subscription.topic) === subscription;
    this.#write(subscription._request(), {
      resolve: (answer) => isCurrent() && subscription._subscribed(answer),
      reject: (error) => {
        if (error.code === "disconnected" || this.#end || !isCurrent()) return;
        if (subscription._triesAgain(error, this.#options, () => this.#state === "open" && this.#send(subscription))) return;
        this.#subscriptions.delete(subscription.topic);
        subscription._ended(error);
      },
    });
  }

  #unsubscribe(subscription) {
    if (this.#subscriptions.get(subscription.topic) !== subscription) return;
    this.#subscriptions.delete(subscription.topic);
    if (this.#state === "open") this.#command({ type: "unsubscribe", topic: subscription.topic }).catch(() => {});
  }

  #receive(data) {
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      const socket = this.#socket;
      this.#finish(new HubError("ended", "the server sent a message that is not JSON"), 1007, "");
      socket.close();
      return;
    }
    if (message.type === "ok" || message.type === "error") {
      const answered = this.#pending.get(message.id);
      this.#pending.delete(message.id);
      if (message.type === "ok") answered?.resolve(message);
      else answered?.reject(new HubError(message.code, message.text));
      return;
    }
    const isPresence = ["members", "joined", "changed", "left"].includes(message.type);
    (isPresence ? this.#presences : this.#subscriptions).get(message.topic)?._push(message);
  }
}

/** A topic that is subscribed. */
class Subscription {
  #callbacks;
  #cancel;
  #position;
  /** How many of the last publications are asked for, until they have come. */
  #last;
  /** What the subscription in progress was asked with, and the `position` of its answer. */
  #asked = {};
  #start = null;
  /** Pushes count from the answer on; those before it are of an earlier subscription. */
  #isAnswered = false;
  #wasAnswered = false;
  /** Refusals since it stood, and the next attempt. */
  #refusals = 0;
  #again = null;

  constructor(topic, options, cancel) {
    const { since = null, last = 0, ...callbacks } = options;
    this.topic = topic;
    this.#callbacks = callbacks;
    this.#position = since;
    this.#last = last;
    this.#cancel = cancel;
  }

  /** The position from which it would be subscribed again, `null` if there is none. An application can keep it. */
  get position() {
    return this.#position;
  }

  unsubscribe() {
    this.#isAnswered = false;
    clearTimeout(this.#again);
    this.#cancel();
  }

  _request() {
    this.#asked = { since: this.#position ?? undefined, last: this.#last || undefined };
    return { type: "subscribe", topic: this.topic, ...this.#asked };
  }

  _subscribed({ position = null }) {
    const isAgain = this.#wasAnswered;
    this.#refusals = 0;
    this.#isAnswered = this.#wasAnswered = true;
    this.#start = position;
    if (!this.#asked.since && !this.#asked.last) {
      this.#position = position;
      if (isAgain) this.#gap({ cause: "disconnected", text: "the connection was lost, and the topic has no history" });
    }
    call(this.#callbacks.onSubscribed, { topic: this.topic, position, isAgain });
  }

  /** Whether it is sent again later: it stood before, and what refuses it now may pass. */
  _triesAgain(error, { firstDelay, longestDelay }, send) {
    if (!this.#wasAnswered || FINAL_ANSWERS.has(error.code)) return false;
    if (error.code === "forbidden" && this.#refusals >= FORBIDDEN_ATTEMPTS) return false;
    const bound = Math.min(firstDelay * 2 ** Math.min(this.#refusals, 30), longestDelay);
    this.#refusals += 1;
    const delay = Math.random() * bound;
    this.#again = setTimeout(send, delay);
    call(this.#callbacks.onRetry ?? warn, { topic: this.topic, error, delay });
    return true;
  }

  _push(message) {
    if (!this.#isAnswered) return;
    const { type, topic } = message;
    if (type === "publication") {
      const { position = null, key = null, local = false } = message;
      if (position !== null) this.#position = position;
      call(this.#callbacks.onMessage, { topic, position, key, local, ...payload(message) });
    } else if (type === "gap") {
      this.#gap({ cause: message.cause, text: message.text });
    } else if (type === "recovered") {
      this.#last = 0;
      this.#position ??= this.#start;
      call(this.#callbacks.onRecovered, { topic, publications: message.publications });
    } else if (type === "unrecoverable") {
      this.#position = this.#last ? null : this.#start;
      const event = { topic, reason: message.reason, text: message.text };
      call(this.#callbacks.onUnrecoverable ?? warn, event);
    }
  }

  _disconnected() {
    this.#isAnswered = false;
    // It is sent with the next connection.
    clearTimeout(this.#again);
  }

  _ended(error, isOwn = false) {
    this.#isAnswered = false;
    clearTimeout(this.#again);
    if (!isOwn) call(this.#callbacks.onError ?? warn, error);
  }

  #gap(event) {
    call(this.#callbacks.onGap ?? warn, { topic: this.topic, ...event });
  }
}

/** The members of a topic. */
class Presence {
  #hub;
  #joined = null;
  #watch = null;

  constructor(topic, hub) {
    this.topic = topic;
    this.#hub = hub;
  }

  /**
   * Becomes a member, now or as soon as there is a connection, and again after each loss of one. `onError` is called if it is
   * refused after it was joined once.
   */
  join(id, data, { onError } = {}) {
    this.#hub.check();
    if (this.#joined) throw new HubError("already", "this topic is joined already");
    return new Promise((resolve, reject) => {
      this.#joined = { member: { id, data }, resolve, reject, onError, wasJoined: false };
      if (this.#hub.isOpen()) this.#sendJoin();
    });
  }

  leave() {
    const joined = this.#joined;
    this.#joined = null;
    joined?.reject(new HubError("absent", "left before it was joined"));
    if (joined && this.#hub.isOpen()) this.#hub.command({ type: "leave", topic: this.topic }).catch(() => {});
  }

  /** The members now. */
  async members() {
    const { members } = await this.#hub.command({ type: "members", topic: this.topic });
    return members.map(member);
  }

  /** Calls back with all members, and with each change. Returns a function that ends it. */
  watch(callbacks) {
    this.#hub.check();
    if (this.#watch) throw new HubError("already", "this topic is watched already");
    const watch = { callbacks, isKnown: false };
    this.#watch = watch;
    if (this.#hub.isOpen()) this.#sendWatch();
    return () => {
      if (this.#watch !== watch) return;
      this.#watch = null;
      if (this.#hub.isOpen()) this.#hub.command({ type: "unwatch", topic: this.topic }).catch(() => {});
    };
  }

  #sendJoin() {
    const joined = this.#joined;
    this.#hub.command({ type: "join", topic: this.topic, member: joined.member }).then(() => {
      joined.wasJoined = true;
      joined.resolve();
    }, (error) => {
      if (error.code === "disconnected" || this.#joined !== joined) return;
      this.#joined = null;
      joined.reject(error);
      if (joined.wasJoined) call(joined.onError ?? warn, error);
    });
  }

  #sendWatch() {
    const watch = this.#watch;
    // All members come first. What comes before them is of an earlier watch.
    watch.isKnown = false;
    this.#hub.command({ type: "watch", topic: this.topic }).catch((error) => {
      if (error.code === "disconnected" || error.code === "ended" || this.#watch !== watch) return;
      this.#watch = null;
      call(watch.callbacks.onError ?? warn, error);
    });
  }

  _connected() {
    if (this.#joined) this.#sendJoin();
    if (this.#watch) this.#sendWatch();
  }

  _disconnected() {}

  _ended(error, isOwn = false) {
    this.#joined?.reject(error);
    if (this.#watch && !isOwn) call(this.#watch.callbacks.onError ?? warn, error);
    this.#joined = this.#watch = null;
  }

  _push(message) {
    if (!this.#watch) return;
    const { callbacks } = this.#watch;
    this.#watch.isKnown ||= message.type === "members";
    if (!this.#watch.isKnown) return;
    if (message.type === "members") call(callbacks.onMembers, message.members.map(member));
    else if (message.type === "joined") call(callbacks.onJoined, member(message.member));
    else if (message.type === "changed") call(callbacks.onChanged, member(message.member));
    else call(callbacks.onLeft, member(message.member));
  }
}

function member({ id, data, text }) {
  return { id, data: data === undefined ? text : data };
}

/** `data` as a value, and what kind it was published as. */
function payload({ data, text, binary }) {
  if (binary !== undefined) return { kind: "binary", data: fromBase64(binary) };
  if (text !== undefined) return { kind: "text", data: text };
  return { kind: "json", data };
}

/** Calls a function of the application. What it throws is reported, and stops nothing. */
function call(callback, ...args) {
  try {
    callback?.(...args);
  } catch (error) {
    if (globalThis.reportError) globalThis.reportError(error);
    else queueMicrotask(() => { throw error; });
  }
}

/** Nothing is silent: what an application has no callback for is on the console. */
function warn(event) {
  console.warn("ws-hub:", event);
}

function toBase64(bytes) {
  let text = "";
  for (let start = 0; start < bytes.length; start += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
  }
  return btoa(text);
}

function fromBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
