// What was said in this tab: kept for an hour in this browser, so that it survives a reload.
// Words are in the tab's session storage, photos in the browser's database.

import { identity, newId } from "./identity.js";
import { Photo } from "./photos.js";
import * as store from "./store.js";

const KEY = "glimpse";
const MOST = 200; // exchanges
const ASKING = 150; // milliseconds in which another tab says that a conversation is its own

function channel() {
  try {
    return new BroadcastChannel(KEY);
  } catch {
    return null; // then tabs do not hear of one another
  }
}

/** Whether an exchange is one that this version kept. */
function isSound(exchange) {
  const { at, text, ids } = exchange ?? {};
  return Number.isFinite(at) && typeof text === "string" && Array.isArray(ids);
}

/**
 * The exchanges of a conversation: `{at, text, shown, photos, ids, reply, rated}`. Photos are null
 * where the browser did not keep them; the reply is null until there is one.
 */
export class Conversation {
  /** `seconds` is how long it is kept; `onForgotten` runs when another tab forgot everything. */
  constructor(seconds, onForgotten) {
    this.exchanges = [];
    this.age = 1000 * seconds;
    this.tab = newId();
    this.keeps = true;
    this.channel = channel();
    this.channel?.addEventListener("message", ({ data }) => {
      if (data.kind === "forgotten") onForgotten();
      const mine = data.conversation === identity.conversation && data.tab !== this.tab;
      if (data.kind === "whose?" && mine) this.#tell("mine", data.conversation);
    });
    setInterval(() => this.#expire(), 60_000);
  }

  /** Takes up what this tab said before, as far as it is young enough. */
  async restore() {
    const saved = this.#read();
    if (!saved) return;
    const taken = await this.#isTaken(saved.conversation);
    const files = await store.all(saved.conversation);
    const byId = new Map(files.map(({ id, file }) => [id, file]));
    const photo = (id) => (byId.has(id) ? new Photo(byId.get(id)) : null);
    const restored = saved.exchanges.map((each) => ({ ...each, photos: each.ids.map(photo) }));
    this.exchanges = [...restored, ...this.exchanges];
    // Of a tab that was duplicated, each goes its own way from here.
    if (!taken) identity.conversation = saved.conversation;
    else for (const each of files) store.keep(identity.conversation, each.id, each.file, each.at);
    this.#expire();
  }

  add(text, shown, photos) {
    const ids = photos.map(() => newId());
    const exchange = { at: Date.now(), text, shown, photos, ids, reply: null, rated: "" };
    this.exchanges.push(exchange);
    this.save();
    const { conversation } = identity;
    photos.forEach(async (photo, place) => {
      await photo.ready;
      if (identity.conversation !== conversation) return; // forgotten meanwhile
      store.keep(conversation, ids[place], photo.file, exchange.at);
    });
    return exchange;
  }

  remove(exchange) {
    this.exchanges = this.exchanges.filter((each) => each !== exchange);
    this.save();
  }

  save() {
    const words = this.exchanges.slice(-MOST).filter((each) => this.#young(each.at));
    const exchanges = words.map(({ photos, drawn, node, ...each }) => each);
    try {
      const saved = { conversation: identity.conversation, exchanges };
      sessionStorage.setItem(KEY, JSON.stringify(saved));
    } catch {
      this.keeps = false;
    }
  }

  /** Removes it from this browser, and begins another. */
  clear() {
    store.remove(identity.conversation);
    this.#begin();
  }

  /** Removes every conversation from this browser, in other tabs too. */
  forgetAll() {
    store.removeBefore(Infinity);
    this.#tell("forgotten", "");
    this.#begin();
  }

  #begin() {
    this.exchanges = [];
    identity.conversation = newId();
    try {
      sessionStorage.removeItem(KEY);
    } catch {
      this.keeps = false;
    }
  }

  #read() {
    try {
      const { conversation, exchanges } = JSON.parse(sessionStorage.getItem(KEY));
      if (typeof conversation !== "string") return null;
      return { conversation, exchanges: exchanges.filter(isSound) };
    } catch {
      return null;
    }
  }

  #young(at) {
    return Date.now() - at < this.age;
  }

  /** Lets go of what is too old; what is on the screen stays there. */
  #expire() {
    this.exchanges = this.exchanges.filter((each) => this.#young(each.at));
    this.save();
    store.removeBefore(Date.now() - this.age);
  }

  #tell(kind, conversation) {
    this.channel?.postMessage({ kind, conversation, tab: this.tab });
  }

  /** Whether another tab, of which this one is a duplicate, is in that conversation. */
  #isTaken(conversation) {
    if (!this.channel) return false;
    return new Promise((resolve) => {
      const listen = ({ data }) => {
        if (data.kind === "mine" && data.conversation === conversation) resolve(true);
      };
      this.channel.addEventListener("message", listen);
      this.#tell("whose?", conversation);
      setTimeout(() => {
        this.channel.removeEventListener("message", listen);
        resolve(false);
      }, ASKING);
    });
  }
}
