// The menu in the bar: a button, a list of commands under it, and the question before "Forget me".

/** Opens with a click or the arrows, closes with Escape, Tab or a click elsewhere. */
export class Menu {
  constructor(root, choose) {
    this.root = root;
    this.button = root.querySelector("button");
    this.list = root.querySelector("[role=menu]");
    this.items = [...this.list.querySelectorAll("[role=menuitem]")];
    this.button.addEventListener("click", ({ detail }) => {
      if (detail < 2) this.#show(this.list.hidden, 0); // else the second of a double click
    });
    root.addEventListener("keydown", (event) => this.#onKey(event));
    root.addEventListener("focusout", (event) => {
      if (event.relatedTarget && !root.contains(event.relatedTarget)) this.#show(false);
    });
    document.addEventListener("pointerdown", (event) => {
      if (!root.contains(event.target)) this.#show(false);
    });
    for (const item of this.items) {
      item.addEventListener("click", () => {
        if (item.getAttribute("aria-disabled") === "true") return;
        this.#show(false);
        this.button.focus();
        choose(item);
      });
    }
  }

  /** Shows the list, with the focus on an item of it, or hides it. */
  #show(yes, place = -1) {
    this.list.hidden = !yes;
    this.button.setAttribute("aria-expanded", String(yes));
    if (yes) this.items.at(place)?.focus();
  }

  #onKey(event) {
    const here = this.items.indexOf(document.activeElement);
    const open = !this.list.hidden;
    const { length } = this.items;
    const goes = {
      ArrowDown: () => (open ? this.#focus((here + 1) % length) : this.#show(true, 0)),
      ArrowUp: () => (open ? this.#focus((here + length - 1) % length) : this.#show(true, -1)),
      Home: () => open && this.#focus(0),
      End: () => open && this.#focus(length - 1),
      Escape: () => {
        this.#show(false);
        this.button.focus();
      },
    }[event.key];
    if (!goes || (!open && event.key === "Escape")) return;
    event.preventDefault();
    goes();
  }

  #focus(place) {
    this.items[place].focus();
  }
}

/** Asks before something that cannot be undone; resolves to whether the person wants it. */
export function confirmed(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
