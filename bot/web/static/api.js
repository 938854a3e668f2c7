// Talks to the server. Every outcome, a lost connection too, comes back as a reply.

import { Events } from "./events.js";
import { headers } from "./identity.js";
import { t } from "./texts.js";

const PATIENCE = 120_000; // milliseconds in which nothing happens
const LATE = "late";
const EVENTS = "text/event-stream";

function failure(text) {
  const nothing = { buttons: [], reference: "", pictures: [], outcome: "lost", asks: false };
  return { ...nothing, text, error: true, retry: true, language: "" };
}

/**
 * Sends a message. Resolves to null if `controller` was told to give it up. `corrects` is the
 * number of the answer that the text puts right. `onProgress` is told which share of it was sent,
 * `onDraft` what the answer is so far, where it comes word by word.
 */
export async function send(text, files, controller, { corrects = "", onProgress, onDraft } = {}) {
  const body = new FormData();
  body.append("text", text);
  for (const file of files) body.append("pictures", file, file.name || "pasted");
  const named = corrects ? { ...headers(), "Glimpse-Corrects": corrects } : headers();
  if (onDraft) named.Accept = `${EVENTS}, application/json`;
  try {
    const answer = await post("/api/messages", body, named, controller.signal, { onProgress, onDraft });
    return answer && { ...answer, text: String(answer.reply) };
  } catch (error) {
    return failure(t(error.message === LATE ? "tooSlow" : "unreachable"));
  }
}

/** Posts a form; `fetch` would not tell how much of it was sent. Resolves to null if given up. */
function post(address, body, named, signal, { onProgress, onDraft }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let timer = 0;
    let draft = "";
    let answer = null;
    const events = new Events({
      draft: ({ text, more }) => onDraft((draft = text ?? draft + more)),
      reply: (reply) => (answer = reply),
    });
    const beLate = () => {
      reject(new Error(LATE));
      request.abort();
    };
    const wait = () => {
      clearTimeout(timer);
      timer = setTimeout(beLate, PATIENCE); // anew, as long as it moves
    };
    request.open("POST", address);
    for (const [name, value] of Object.entries(named)) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      wait();
      if (total) onProgress?.(loaded / total);
    });
    request.addEventListener("progress", () => {
      wait();
      if (streams(request)) events.hear(request.responseText);
    });
    request.addEventListener("load", () => {
      if (!streams(request)) answer = parsed(request.responseText);
      if (typeof answer?.reply === "string") resolve(answer);
      else reject(new Error("no answer"));
    });
    request.addEventListener("error", () => reject(new Error("lost")));
    request.addEventListener("abort", () => resolve(null));
    request.addEventListener("loadend", () => clearTimeout(timer));
    if (signal.aborted) return resolve(null);
    signal.addEventListener("abort", () => request.abort());
    wait();
    return request.send(body);
  });
}

const streams = (request) => request.getResponseHeader("Content-Type")?.startsWith(EVENTS);

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** What the server knows of this conversation: `{pictures, language}`; null if it tells nothing. */
export async function known() {
  try {
    const response = await fetch("/api/conversation", { headers: headers() });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

/** Makes the server forget this conversation. Resolves to whether it did. */
export async function forget() {
  try {
    const response = await fetch("/api/conversation", { method: "DELETE", headers: headers() });
    return response.ok;
  } catch {
    return false;
  }
}
