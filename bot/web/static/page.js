// The page around the chat: files dropped or pasted on it, a phone's keyboard, and its language.

const DOUBLE = 600; // milliseconds between the two clicks of unsteady hands
const SPOKEN_KEY = "glimpse-language";

/** Takes files that are pasted or dropped anywhere; `drop` is shown while they are dragged. */
export function listenForFiles(drop, takeFiles) {
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
export function followKeyboard() {
  const view = window.visualViewport;
  view?.addEventListener("resize", () => {
    if (view.scale > 1.01) return; // pinched, not covered
    document.documentElement.style.setProperty("--height", `${view.height}px`);
  });
}

/** Of two buttons in one place, a double click hits only the first. */
export function ignoreDoubles(...buttons) {
  let last = { at: -DOUBLE };
  const listen = (event) => {
    const { currentTarget, detail, timeStamp } = event;
    const doubled = detail > 0 && currentTarget !== last.target && timeStamp - last.at < DOUBLE;
    if (doubled) event.stopImmediatePropagation();
    if (doubled) event.preventDefault();
    else last = { target: currentTarget, at: timeStamp };
  };
  for (const button of buttons) button.addEventListener("click", listen, { capture: true });
}

/** The page in another language, once that is spoken. */
export function speak(language) {
  if (!language) return;
  try {
    if (language === document.documentElement.lang) return sessionStorage.removeItem(SPOKEN_KEY);
    if (sessionStorage.getItem(SPOKEN_KEY) === language) return; // it did not help before
    sessionStorage.setItem(SPOKEN_KEY, language);
    location.reload();
  } catch {
    // Without a memory of this tab, what was said would be lost.
  }
}
