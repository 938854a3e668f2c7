// Which conversation this tab is in. The server makes the chat's id of it and the person's cookie.

let current = "";

/** A new id: `crypto.randomUUID` is for secure addresses only. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export const identity = {
  get conversation() {
    return (current ||= newId());
  },
  set conversation(id) {
    current = id;
  },
};

/** What every request about this tab's conversation carries. */
export function headers() {
  return { "Glimpse-Conversation": identity.conversation };
}
