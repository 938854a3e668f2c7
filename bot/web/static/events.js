// Reads the server-sent events of an answer out of a text that grows.

/** `on` has a function for each kind of event; it gets what its JSON says. */
export class Events {
  constructor(on) {
    this.on = on;
    this.read = 0; // characters
  }

  /** Takes all that has come so far. */
  hear(text) {
    for (let end; (end = text.indexOf("\n\n", this.read)) >= 0; this.read = end + 2) {
      const fields = text.slice(this.read, end).split("\n").map((line) => line.split(/: (.*)/s));
      const { event, data } = Object.fromEntries(fields);
      this.on[event]?.(JSON.parse(data));
    }
  }
}
