// 👍 and 👎 under an answer, and what a bad one should have been.

import { send } from "./api.js";
import { element } from "./dom.js";
import { t } from "./texts.js";

export const isRating = (action) => action.startsWith("/rate ");

/**
 * Sends a rating by the way, without a bubble. Nothing in the row changes its place, so that a
 * second click hits nothing else. `onRated` gets the action once it is kept.
 */
export async function rate(action, chip, onRated) {
  if (chip.getAttribute("aria-pressed") === "true") return;
  const { parentElement: row } = chip;
  const pair = [...row.querySelectorAll(".chip[aria-pressed]")];
  const before = pair.find((each) => each.getAttribute("aria-pressed") === "true");
  press(pair, chip);
  for (const old of row.querySelectorAll(".thanks, .right")) old.remove();
  const reply = await send(action, [], new AbortController());
  if (reply === null) return;
  if (reply.error) press(pair, before);
  else onRated(action);
  row.append(element("p", "thanks", reply.text));
  if (reply.asks) row.append(correction(action.split(" ").at(-1), row));
}

/** Shows which of the two was chosen. */
export function press(pair, chosen) {
  for (const each of pair) each.setAttribute("aria-pressed", String(each === chosen));
}

/** Asks what would have been right; skipping it is fine. */
function correction(number, row) {
  const form = element("form", "right");
  const label = element("label", "", t("shouldBe"));
  const input = element("input");
  input.id = label.htmlFor = `right-${number}`;
  input.maxLength = Number(document.body.dataset.characters);
  input.placeholder = t("shouldBeHint");
  input.autocomplete = "off";
  const yes = element("button", "chip", t("sendIt"));
  const no = element("button", "chip", t("skip"));
  no.type = "button";
  no.addEventListener("click", () => form.remove());
  form.append(label, input, yes, no);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const right = input.value.trim();
    if (!right || form.ariaBusy === "true") return;
    form.ariaBusy = "true";
    const reply = await send(right, [], new AbortController(), { corrects: number });
    form.ariaBusy = "false";
    if (reply === null) return;
    row.querySelector(".thanks").textContent = reply.text;
    if (!reply.error) form.remove();
  });
  queueMicrotask(() => input.focus({ preventScroll: true }));
  return form;
}
