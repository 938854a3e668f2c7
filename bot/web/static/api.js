// Talks to the server. Every outcome, a lost connection too, comes back as a reply.

import { headers } from "./identity.js";
import { t } from "./texts.js";

const PATIENCE = 120_000; // milliseconds

function failure(text) {
  const nothing = { buttons: [], reference: "", pictures: [], outcome: "lost", asks: false };
  return { ...nothing, text, error: true, retry: true, language: "" };
}

/**
 * Sends a message. Resolves to null if `controller` was told to give it up. `corrects` is the
 * number of the answer that the text puts right.
 */
export async function send(text, files, controller, corrects = "") {
  const body = new FormData();
  body.append("text", text);
  for (const file of files) body.append("pictures", file, file.name || "pasted");
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    controller.abort();
  }, PATIENCE);
  try {
    const { signal } = controller;
    const named = corrects ? { ...headers(), "Glimpse-Corrects": corrects } : headers();
    const response = await fetch("/api/messages", { method: "POST", body, signal, headers: named });
    const answer = await response.json();
    return { ...answer, text: String(answer.reply) };
  } catch {
    if (controller.signal.aborted && !late) return null;
    return failure(t(late ? "tooSlow" : "unreachable"));
  } finally {
    clearTimeout(timer);
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
