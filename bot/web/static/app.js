// Glimpse's page: puts the composer, the conversation and the server together.

import { forget, known, send } from "./api.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { save as saveAsFile } from "./export.js";
import { InView, Lightbox, descriptionOf } from "./lightbox.js";
import { Log, describeAll } from "./log.js";
import { Menu, confirmed } from "./menu.js";
import { Objects } from "./objects.js";
import { followKeyboard, ignoreDoubles, listenForFiles, speak } from "./page.js";
import { Photo, Tray } from "./photos.js";
import { Progress } from "./progress.js";
import { isRating, press, rate } from "./ratings.js";
import { offerSamples } from "./samples.js";
import { t } from "./texts.js";

const byId = (id) => document.getElementById(id);
const notice = byId("notice");
const files = byId("files");
const limits = document.body.dataset;

const CAPTION = "/caption";
const RETRY = "/retry";
// Of outcomes that no photo was looked at for: others are just something that Glimpse says.
const FAILURE = /^(refused|lost|not_allowed|limit)/;
const EXAMPLES = ["example1", "example2", "example3"];
/** Whether words may be about a photo: commands about the person are not. */
const aboutPhotos = (text) => !text.startsWith("/") || /^\/(caption|ask|retry)\b/.test(text);

const log = new Log(byId("log"), byId("scroller"));
const objects = new Objects(() => log.stay());
const conversation = new Conversation(Number(limits.pictureSeconds), clearScreen);
const tray = new Tray(byId("tray"), {
  most: Number(limits.pictures),
  bytes: Number(limits.pictureBytes),
  onChange: refresh,
  onRefused: warn,
});
const lightbox = new Lightbox(askAboutPart);
const inView = new InView(byId("in-view"), lightbox);
const composer = new Composer(byId("composer"), {
  most: Number(limits.characters),
  onSubmit: submit,
  onChange: refresh,
  onCut: warn,
  onCancel: stopChanging,
});

let underWay = null; // {controller, exchange} of the message that is being answered
let album = null; // {photos, frames}: what the conversation is about
let stale = false; // whether the server may take other photos for these
let ready = false; // once what was said before is shown again
let hasty = false; // whether something was to be sent before
let changed = null; // the exchange whose question is being changed

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
  byId("tray").classList.toggle("several", waiting > 1);
  byId("welcome").hidden = started;
  byId("new-chat").hidden = !started;
  document.body.classList.toggle("empty", !started);
  enable(byId("export"), conversation.exchanges.length > 0);
  for (const item of document.querySelectorAll("[data-says]")) enable(item, ready && !underWay);
  enable(byId("send"), ready && !underWay && (waiting > 0 || composer.text !== ""));
  enable(byId("caption"), ready && !underWay && (waiting > 0 || album !== null));
  swap(byId("send"), byId("stop"), Boolean(underWay));
  composer.box.placeholder = hint(waiting);
  const viewed = !waiting && album?.photos.every(Boolean);
  inView.show(viewed ? album.photos : [], viewed ? album.frames : []);
}

/** Shows one button in the place of another, and takes the focus along. */
function swap(usual, other, yes) {
  const [shown, hidden] = yes ? [other, usual] : [usual, other];
  const focused = document.activeElement === hidden;
  usual.hidden = yes;
  other.hidden = !yes;
  if (focused) shown.focus();
}

function hint(waiting) {
  if (waiting > 1) return t("askSome");
  if (waiting === 1) return t("askOne");
  if (!album) return t("addPhoto");
  return t(album.frames.length > 1 ? "askPhotos" : "askPhoto");
}

// --- asking -----------------------------------------------------------------------------------

/** Sends text and the waiting photos; `shown` is what the person's bubble says. */
function ask(text, shown = text) {
  if (!underWay) say(text, shown, tray.take());
}

function say(text, shown, photos) {
  warn("");
  const exchange = conversation.add(text, shown, photos);
  draw(exchange);
  answer(exchange);
}

/** Sends a part of a photo; while another answer is on its way, it waits with the words. */
function askAboutPart(words, file) {
  if (!underWay) say(words, words, [new Photo(file)]);
  else {
    tray.add([file]);
    if (words) composer.text = words;
  }
  composer.settle();
}

/** Draws what the person sent. */
function draw(exchange) {
  const own = exchange.shown === exchange.text && !exchange.text.startsWith("/");
  const edit = own ? () => change(exchange) : null;
  const { message, frames } = log.addMine(exchange.shown, exchange.photos, edit);
  exchange.node = message;
  exchange.drawn = frames;
}

async function answer(exchange) {
  if (underWay) return;
  const { message, write, end } = log.addTyping();
  const mine = { controller: new AbortController(), exchange, end };
  underWay = mine;
  const progress = new Progress(message, () => mine.controller.abort());
  refresh();
  const reply = await ofServer(exchange, mine.controller, {
    onProgress: (share) => progress.show(share),
    onDraft: (text) => underWay === mine && write(text),
  });
  if (underWay !== mine) return; // another chat has begun
  underWay = null;
  end();
  if (reply === null) takeBack(exchange);
  else if (reply.outcome === "forgotten") forgotten(reply);
  else show(exchange, reply);
  refresh();
}

/** Asks the server; photos that it has forgotten go with the words once more. */
async function ofServer({ text, photos }, controller, { onProgress, onDraft }) {
  const sent = photos.filter(Boolean);
  const own = !sent.length && album?.photos.every(Boolean) && aboutPhotos(text);
  if (sent.length) stale = true;
  let attached = own && stale ? album.photos : sent;
  const ask = async (attached) => {
    const files = await readyFiles(attached);
    const told = files.length ? { onProgress, onDraft } : { onDraft };
    return send(again(text, attached), files, controller, told);
  };
  let reply = await ask(attached);
  if (own && !attached.length && ["no_picture", "picture_gone"].includes(reply?.outcome)) {
    attached = album.photos;
    reply = await ask(attached);
  }
  if (attached.length && reply?.pictures.length) stale = false;
  return reply;
}

const filesOf = (photos) => photos.map((photo) => photo.file);

/** The files of photos, once these are as small as they get. */
async function readyFiles(photos) {
  await Promise.all(photos.map((photo) => photo.ready));
  return filesOf(photos);
}

/** What asks for another answer, where the server no longer knows what was asked. */
function again(text, attached) {
  if (text !== RETRY || !attached.length) return text;
  const asked = conversation.exchanges.filter((each) => each.text !== RETRY && aboutPhotos(each.text));
  return `${RETRY} ${asked.at(-1)?.text.replace(/^\/caption|^\/ask /, "") ?? ""}`.trim();
}

/** Shows an answer, and keeps it. */
function show(exchange, reply) {
  exchange.reply = reply;
  conversation.save();
  present(exchange);
  if (reply.outcome === "settings" && conversation.keeps) speak(reply.language);
}

/** Draws the answer to what is drawn already. */
function present(exchange) {
  const { reply, photos, drawn } = exchange;
  const failed = !reply || (reply.error && (reply.retry || FAILURE.test(reply.outcome)));
  // A photo that cannot be opened is nothing to ask on about.
  if (photos.length && !reply?.outcome.startsWith("refused")) album = { photos, frames: drawn };
  if (failed) presentFailure(exchange);
  else {
    const row = objects.add(reply.pictures, drawn);
    log.addReply(reply.text, row, numbersOf(reply));
    if (isCaption(exchange)) describeAll(album.frames, reply.text);
  }
  if (reply) offer(exchange);
}

function presentFailure(exchange) {
  const { reply } = exchange;
  const retry = !reply || reply.retry ? () => answerAgain(exchange) : null;
  log.addError(reply?.text ?? t("unanswered"), reply?.reference ?? "", retry);
}

/** The numbers of the photos that an answer is about, if it is about some of several. */
function numbersOf({ pictures }) {
  const count = album?.frames.length ?? 0;
  if (count < 2 || !pictures.length || pictures.length === count) return [];
  return pictures.map(({ place }) => place + 1);
}

function answerAgain(exchange) {
  log.clearButtons();
  composer.settle();
  answer(exchange);
}

const isCaption = ({ text }) => album !== null && ["", CAPTION].includes(text);

/** Offers what to ask next, then what to say of the answer. */
function offer(exchange) {
  const { reply, rated } = exchange;
  const examples = !reply.error && isCaption(exchange) ? EXAMPLES.map((name) => t(name)) : [];
  const about = ({ action }) => isRating(action) || action === RETRY;
  const buttons = [
    ...reply.buttons.filter((button) => !about(button)),
    ...examples.map((label) => ({ label, action: label })),
    ...reply.buttons.filter(about),
  ];
  const row = log.addButtons(buttons, (button, chip) => choose(button, chip, exchange));
  const pair = [...(row?.querySelectorAll(".chip[aria-pressed]") ?? [])];
  const ratings = buttons.filter(({ action }) => isRating(action));
  if (rated) press(pair, pair[ratings.findIndex(({ action }) => action === rated)]);
}

function choose({ action, label }, chip, exchange) {
  if (isRating(action)) {
    rate(action, chip, (kept) => {
      exchange.rated = kept;
      conversation.save();
    });
    return;
  }
  if (action !== RETRY) ask(action, label);
  else if (!underWay) say(action, label, []); // it means the last answer, not what waits to be sent
  composer.settle();
}

/** After Stop: what was typed goes back to where it can be changed. */
function takeBack(exchange) {
  discard(exchange);
  if (exchange.shown === exchange.text && composer.text === "") composer.text = exchange.text;
  tray.add(filesOf(exchange.photos.filter(Boolean)));
  composer.settle();
}

function discard(exchange) {
  log.removeFrom(exchange.node);
  conversation.remove(exchange);
  const last = conversation.exchanges.at(-1);
  if (last?.reply) offer(last);
  const shown = conversation.exchanges.filter(({ photos }) => photos.length).at(-1);
  if (exchange.photos.length) album = shown ? { photos: shown.photos, frames: shown.drawn } : null;
}

/** Lets the person change their last question; it is taken away once it is asked anew. */
function change(exchange) {
  if (underWay) return;
  changed = exchange;
  composer.change(exchange.text);
}

function stopChanging() {
  changed = null;
}

function submit() {
  if (!ready) hasty = true; // it is sent as soon as it can be
  if (!enabled(byId("send"))) return;
  const old = changed;
  changed = null;
  const text = composer.take();
  if (!old || underWay) return ask(text);
  discard(old);
  say(text, text, [...old.photos.filter(Boolean), ...tray.take()]);
}

// --- forgetting -------------------------------------------------------------------------------

/** Takes everything off the screen. */
function clearScreen() {
  underWay?.controller.abort();
  underWay = null;
  const shown = conversation.exchanges.flatMap(({ photos }) => photos.filter(Boolean));
  for (const photo of [...shown, ...tray.take()]) photo.release();
  conversation.clear();
  album = null;
  stale = false;
  changed = null;
  lightbox.close();
  composer.take();
  log.clear();
  objects.clear();
  warn("");
  refresh();
}

async function newChat() {
  const forgetting = forget(); // this conversation, before another begins
  clearScreen();
  composer.settle();
  if (!(await forgetting)) warn(t("mayRemember"));
}

function forgetMe() {
  if (underWay) {
    const { controller, exchange, end } = underWay;
    underWay = null;
    controller.abort();
    end();
    discard(exchange);
  }
  say("/forget", "/forget", []);
}

/** The server has forgotten the person: so does this browser. */
function forgotten(reply) {
  clearScreen();
  conversation.forgetAll();
  log.addReply(reply.text, null);
}

// --- beginning --------------------------------------------------------------------------------

/** Shows again what was said in this tab before a reload. */
async function restore() {
  try {
    await conversation.restore();
    for (const exchange of conversation.exchanges) {
      draw(exchange);
      present(exchange);
    }
  } catch {
    clearScreen(); // what was kept is not of this version, or of no version at all
  }
  ready = true;
  refresh();
  if (hasty) submit();
  const told = await known();
  const held = told !== null && album !== null && holds(told.pictures);
  if (album && !held && !album.photos.every(Boolean)) {
    album = null;
    warn(t("photosGone"));
  }
  if (told === null) return;
  if (album && told.pictures.length) stale = stale || !held;
  if (conversation.keeps) speak(told.language);
}

/** Whether the server's photos are those that are shown last. */
function holds(digests) {
  const about = conversation.exchanges.filter(({ reply }) => reply?.pictures.length).at(-1);
  const { photos } = album;
  const known = about?.reply.pictures ?? [];
  return photos.length === digests.length && known.every(({ place, digest }) => digests[place] === digest);
}

function listenToComposer() {
  byId("caption").addEventListener("click", () => {
    if (!enabled(byId("caption"))) return;
    ask(CAPTION, tray.photos.length ? "" : t("captioned"));
    composer.settle();
  });
  for (const id of ["add", "choose"]) byId(id).addEventListener("click", () => files.click());
  files.addEventListener("change", () => {
    takeFiles(files.files);
    files.value = "";
  });
  byId("camera").addEventListener("click", () => byId("shot").click());
  byId("shot").addEventListener("change", ({ target }) => {
    takeFiles(target.files);
    target.value = "";
  });
  offerSamples(byId("samples"), (file) => {
    if (ready && !underWay) say("", "", [new Photo(file)]);
  });
  byId("stop").addEventListener("click", () => underWay?.controller.abort());
  ignoreDoubles(byId("send"), byId("stop"));
  byId("new-chat").addEventListener("click", newChat);
}

function listenToMenu() {
  new Menu(byId("menu"), async (item) => {
    if (item.id === "export") saveAsFile(conversation.exchanges);
    else if (item.id !== "forget") command(item.dataset.says, item.textContent);
    else if (await confirmed(byId("forget-dialog"))) forgetMe();
  });
}

/** Says a command; photos that wait are left where they are. */
function command(text, shown) {
  if (ready && !underWay) say(text, shown, []);
}

function takeFiles(list) {
  tray.add(list);
  composer.settle();
}

/** A click on a photo of the conversation shows it large. */
function listenToPhotos() {
  byId("log").addEventListener("click", ({ target }) => {
    const frame = target.closest(".photos .photo:not(.gone)");
    const exchange = conversation.exchanges.find(({ drawn }) => drawn.includes(frame));
    if (!exchange) return;
    const there = exchange.drawn.filter((_, place) => exchange.photos[place]);
    lightbox.open(exchange.photos.filter(Boolean), there.map(descriptionOf), there.indexOf(frame));
  });
}

listenToComposer();
listenToMenu();
listenForFiles(byId("drop"), takeFiles);
listenToPhotos();
followKeyboard();
refresh();
composer.settle();
restore();
