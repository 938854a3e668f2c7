// Glimpse's page: puts the composer, the conversation and the server together.

import { forget, send } from "./api.js";
import { element } from "./dom.js";
import { Log, describeAll } from "./log.js";
import { Objects } from "./objects.js";
import { Tray } from "./photos.js";

const byId = (id) => document.getElementById(id);
const composer = byId("composer");
const question = byId("question");
const notice = byId("notice");
const files = byId("files");
const limits = document.body.dataset;

const CAPTION = "/caption";
const RETRY = "/retry";
const isRating = (action) => action.startsWith("/rate ");
const EXAMPLES = ["What colour is it?", "How many people are there?", "Is it outdoors?"];

const log = new Log(byId("log"), byId("scroller"));
const objects = new Objects(() => log.stay());
const tray = new Tray(byId("tray"), {
  most: Number(limits.pictures),
  bytes: Number(limits.pictureBytes),
  onChange: refresh,
  onRefused: warn,
});

let underWay = null; // AbortController of the message that is being answered
let frames = []; // the photos that the conversation is about, as drawn
let used = []; // every photo of this conversation, to be released with it

function warn(sentence) {
  notice.textContent = sentence;
  notice.hidden = !sentence;
}

function enable(button, yes) {
  button.setAttribute("aria-disabled", String(!yes));
}

const enabled = (button) => button.getAttribute("aria-disabled") !== "true";

function refresh() {
  const waiting = tray.photos.length;
  const started = byId("log").childElementCount > 0;
  byId("tray").hidden = waiting === 0;
  byId("welcome").hidden = started;
  byId("new-chat").hidden = !started;
  document.body.classList.toggle("empty", !started);
  enable(byId("send"), !underWay && (waiting > 0 || question.value.trim() !== ""));
  enable(byId("caption"), !underWay && (waiting > 0 || frames.length > 0));
  question.placeholder = hint(waiting);
}

function hint(waiting) {
  if (waiting > 1) return "Ask about them, or just send";
  if (waiting === 1) return "Ask about it, or just send";
  return used.length ? "Ask about this photo" : "Add a photo to begin";
}

/** Sends text and the waiting photos; `shown` is what the person's bubble says. */
function ask(text, shown = text) {
  if (!underWay) say(text, shown, tray.take());
}

function say(text, shown, photos) {
  used.push(...photos);
  warn("");
  const drawn = log.addMine(shown, photos);
  answer({ text, photos, drawn });
}

async function answer(message) {
  if (underWay) return;
  const mine = new AbortController();
  underWay = mine;
  const done = log.addTyping();
  refresh();
  const reply = await send(message.text, message.photos.map((photo) => photo.file), mine);
  if (reply === null) return; // a new chat has begun
  underWay = null;
  done();
  if (reply.error) log.addError(reply.text, reply.reference, () => retry(message));
  else show(reply, message);
  log.addButtons(suggestions(reply, message), choose);
  refresh();
}

function retry(message) {
  log.clearButtons();
  settle();
  answer(message);
}

function show(reply, message) {
  log.addReply(reply.text, objects.add(reply.pictures, message.drawn));
  if (message.drawn.length) frames = message.drawn;
  if (isCaption(message)) describeAll(frames, reply.text);
}

const isCaption = (message) => frames.length > 0 && ["", CAPTION].includes(message.text);

/** What to ask next, then what to say of the answer. */
function suggestions(reply, message) {
  const examples = !reply.error && isCaption(message) ? EXAMPLES : [];
  const about = ({ action }) => isRating(action) || action === RETRY;
  return [
    ...reply.buttons.filter((button) => !about(button)),
    ...examples.map((label) => ({ label, action: label })),
    ...reply.buttons.filter(about),
  ];
}

function choose({ action, label }, chip) {
  if (isRating(action)) rate(action, chip);
  else if (action !== RETRY) ask(action, label);
  else if (!underWay) say(action, label, []); // it means the last answer, not what waits to be sent
  settle();
}

/** Sends a rating by the way: no bubble, and only its two buttons go, unless it gets lost. */
async function rate(action, chip) {
  const { parentElement: row } = chip;
  const pair = row.querySelectorAll(".chip[aria-label]");
  for (const button of pair) button.hidden = true;
  row.querySelector(".thanks")?.remove();
  const reply = await send(action, [], new AbortController());
  for (const button of pair) {
    if (reply.error) button.hidden = false;
    else button.remove();
  }
  row.append(element("p", "thanks", reply.text));
}

async function newChat() {
  underWay?.abort();
  underWay = null;
  for (const photo of [...used, ...tray.take()]) photo.release();
  used = [];
  frames = [];
  question.value = "";
  log.clear();
  objects.clear();
  grow();
  refresh();
  settle();
  warn((await forget()) ? "" : "Glimpse cannot be reached, so it may still remember your photo.");
}

/** Goes back to the question; not by touch, where that would open a keyboard over the answer. */
function settle() {
  if (!matchMedia("(pointer: coarse)").matches) question.focus();
}

function grow() {
  question.style.height = "auto";
  question.style.height = `${question.scrollHeight}px`;
}

function submit() {
  if (!enabled(byId("send"))) return;
  const text = question.value.trim();
  question.value = "";
  grow();
  ask(text);
}

function listenToComposer() {
  composer.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  question.addEventListener("input", () => {
    grow();
    refresh();
  });
  question.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  byId("caption").addEventListener("click", () => {
    if (!enabled(byId("caption"))) return;
    ask(CAPTION, tray.photos.length ? "" : "Caption");
    settle();
  });
  for (const id of ["add", "choose"]) byId(id).addEventListener("click", () => files.click());
  files.addEventListener("change", () => {
    takeFiles(files.files);
    files.value = "";
  });
  byId("new-chat").addEventListener("click", newChat);
}

function takeFiles(list) {
  tray.add(list);
  settle();
}

function listenToPage() {
  const drop = byId("drop");
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("paste", (event) => {
    if (!event.clipboardData?.files.length) return;
    event.preventDefault();
    takeFiles(event.clipboardData.files);
  });
  document.addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    drop.hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.hidden = true;
  });
  document.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    drop.hidden = true;
    takeFiles(event.dataTransfer.files);
  });
}

/** Keeps the composer above the keyboard of phones that cover the page with it. */
function followKeyboard() {
  const view = window.visualViewport;
  view?.addEventListener("resize", () => {
    if (view.scale > 1.01) return; // pinched, not covered
    document.documentElement.style.setProperty("--height", `${view.height}px`);
  });
}

listenToComposer();
listenToPage();
followKeyboard();
refresh();
settle();
