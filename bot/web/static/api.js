// Talks to the server. Every outcome, a lost connection too, comes back as a reply.

const PATIENCE = 120_000; // milliseconds
const UNREACHABLE = "Glimpse cannot be reached. Check that it is still running, then try again.";
const TOO_SLOW = "That took too long. Please try again.";

function failure(text) {
  return { text, buttons: [], error: true, reference: "", pictures: [] };
}

/** Sends a message. Resolves to null if `controller` was told to give it up. */
export async function send(text, files, controller) {
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
    const response = await fetch("/api/messages", { method: "POST", body, signal });
    const answer = await response.json();
    return {
      text: String(answer.reply),
      buttons: answer.buttons,
      error: answer.error,
      reference: answer.reference,
      pictures: answer.pictures,
    };
  } catch {
    if (controller.signal.aborted && !late) return null;
    return failure(late ? TOO_SLOW : UNREACHABLE);
  } finally {
    clearTimeout(timer);
  }
}

/** Makes the server forget this conversation. Resolves to whether it did. */
export async function forget() {
  try {
    const response = await fetch("/api/conversation", { method: "DELETE" });
    return response.ok;
  } catch {
    return false;
  }
}
